// SPDX-License-Identifier: Apache-2.0
#include "server/model_folder.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <regex>

#include "base/check.h"

namespace glint::server {

std::vector<ModelEntry> list_model_folder(const std::string& path) {
  namespace fs = std::filesystem;
  static const std::regex kPart("(.+)-([0-9]{5})-of-[0-9]{5}");
  std::error_code error;
  std::map<std::string, ModelEntry> models;  // by name
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    std::error_code unreadable;
    const fs::path file = at->path();
    if (file.extension() != ".gguf" || !at->is_regular_file(unreadable)) continue;
    std::string name = file.stem().string();
    if (name.starts_with("mmproj")) continue;  // a part of a model that sees
    std::smatch part;
    bool is_first = true;
    if (std::regex_match(name, part, kPart)) {
      is_first = part[2] == "00001";
      name = std::string(part[1]);
    }
    ModelEntry& model = models[name];
    model.names = {name};
    const uint64_t size = at->file_size(unreadable);
    if (!unreadable) model.file_bytes += size;
    if (!is_first) continue;
    model.path = file.string();
    const auto written = std::chrono::file_clock::to_sys(at->last_write_time(unreadable));
    model.modified = std::chrono::duration_cast<std::chrono::seconds>(written.time_since_epoch()).count();
  }
  if (error) fail("{}: the folder cannot be read: {}", path, error.message());
  std::vector<ModelEntry> listed;
  for (auto& [name, model] : models) {
    if (!model.path.empty()) listed.push_back(std::move(model));
  }
  if (listed.empty()) fail("{}: no .gguf files in this folder", path);
  return listed;
}

}  // namespace glint::server
