// SPDX-License-Identifier: Apache-2.0
#include "engine/slot_file.h"

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/check.h"

namespace glint {
namespace fs = std::filesystem;
namespace {

constexpr std::array<char, 8> kMagic = {'g', 'l', 'i', 'n', 't', 's', 'l', '1'};
constexpr int64_t kMostBytes = int64_t{1} << 28;  // no context is that long

struct Header {
  std::array<char, 8> magic = kMagic;
  Digest fingerprint{};
  int64_t n_ids = 0;
};

Digest digest_of(const Header& header, std::span<const int32_t> ids) {
  Sha256 hash;
  hash.add(std::as_bytes(std::span(&header, 1)));
  hash.add(std::as_bytes(ids));
  return hash.digest();
}

std::string file_name(const std::string& path) {
  return fs::path(path).filename().string();
}

bool is_slot_file(const std::string& path) {
  std::array<char, 8> magic{};
  std::ifstream file(path, std::ios::binary);
  return file.read(magic.data(), magic.size()) && magic == kMagic;
}

/// Another for each writer, so that two who save under one name do not write into one file.
std::string partial_path(const std::string& path, const Digest& digest) {
  return path + "." + to_hex(digest).substr(0, 16) + ".partial";
}

}  // namespace

int64_t slot_file_bytes(size_t n_ids) {
  return static_cast<int64_t>(sizeof(Header) + n_ids * sizeof(int32_t) + sizeof(Digest));
}

void check_slot_file_place(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (!fs::exists(status)) return;
  if (fs::is_regular_file(status) && is_slot_file(path)) return;
  fail("{}: there is something of this name that is no slot file; it is not replaced", file_name(path));
}

void write_slot_file(const std::string& path, const Digest& fingerprint, std::span<const int32_t> ids) {
  check_slot_file_place(path);
  Header header;
  header.fingerprint = fingerprint;
  header.n_ids = static_cast<int64_t>(ids.size());
  const Digest digest = digest_of(header, ids);
  const std::string partial = partial_path(path, digest);
  std::ofstream file(partial, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&header), sizeof(header));
  file.write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(ids.size_bytes()));
  file.write(reinterpret_cast<const char*>(digest.data()), static_cast<std::streamsize>(digest.size()));
  file.close();
  std::error_code error;
  if (file) fs::rename(partial, path, error);
  if (file && !error) return;
  fs::remove(partial, error);
  fail("{}: cannot be written", file_name(path));
}

std::vector<int32_t> read_slot_file(const std::string& path, const Digest& fingerprint) {
  const std::string name = file_name(path);
  std::error_code error;
  if (!fs::exists(path, error)) fail("{}: no such slot file", name);
  if (!fs::is_regular_file(path, error) || !is_slot_file(path)) fail("{}: no slot file", name);
  const auto n_bytes = static_cast<int64_t>(fs::file_size(path, error));
  Header header;
  std::ifstream file(path, std::ios::binary);
  const bool has_header = n_bytes <= kMostBytes && file.read(reinterpret_cast<char*>(&header), sizeof(header));
  if (!has_header || header.n_ids < 0 || header.n_ids > kMostBytes ||
      n_bytes != slot_file_bytes(static_cast<size_t>(header.n_ids)))
    fail("{}: the slot file is torn", name);
  std::vector<int32_t> ids(static_cast<size_t>(header.n_ids));
  Digest digest{};
  file.read(reinterpret_cast<char*>(ids.data()), static_cast<std::streamsize>(ids.size() * sizeof(int32_t)));
  file.read(reinterpret_cast<char*>(digest.data()), static_cast<std::streamsize>(digest.size()));
  if (!file || digest != digest_of(header, ids)) fail("{}: the slot file is damaged", name);
  if (header.fingerprint != fingerprint) {
    fail("{}: saved with another model, cache format or backend than this server has", name);
  }
  return ids;
}

}  // namespace glint
