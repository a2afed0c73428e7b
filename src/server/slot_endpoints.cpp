// SPDX-License-Identifier: Apache-2.0
//
// llama.cpp's POST /slots/N?action=save, restore and erase: the text that slot N worked on last is kept under a name,
// or comes back from one, rows and all. Files lie in the folder of the prefix store, which holds the rows. Tested by
// tests/unit/server/slots_test.cpp.
#include <charconv>
#include <chrono>

#include "base/printable.h"
#include "engine/slot_file.h"
#include "server/answer_reply.h"
#include "server/endpoints.h"
#include "server/fields.h"
#include "server/http_format.h"
#include "server/settings.h"

namespace glint::server {
namespace {

constexpr size_t kMostNameBytes = 200;

/// A file of the folder and nothing else: no path, nothing hidden, nothing that the store itself could write.
void check_name(const std::string& name) {
  const auto is_bad = [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/' || c == '\\' || c == ':'; };
  if (!name.empty() && name.size() <= kMostNameBytes && name.front() != '.' &&
      std::none_of(name.begin(), name.end(), is_bad) && !name.ends_with(".glintpage") && !name.ends_with(".partial")) {
    return;
  }
  throw ApiError::invalid(fmt::format("filename: \"{}\" is not a plain file name", printable(name)));
}

struct SlotTask {
  int slot = 0;
  std::string name = {}, path = {};  // of the file
  std::vector<int32_t> ids = {};
};

/// Whole at the end; what it says is up to each action.
class SlotWriter final : public WholeWriter {
 public:
  using Describe = std::function<Json(const Finish& finish, double milliseconds)>;
  explicit SlotWriter(Describe describe) : describe_(std::move(describe)) {}

  Json whole(const std::vector<Completion>& completions, const Usage&) override {
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begun_;
    Json answer = describe_(completions.front().finish, took.count());
    add_warnings(answer);
    return answer;
  }

 private:
  Describe describe_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

Reply run(Service& service, const HttpRequest& http, CacheTask what, const SlotTask& task,
          SlotWriter::Describe describe) {
  Request request;
  request.ids = task.ids;
  request.sampling = resolve_sampling({}, service.options().sampling, service.engine().file().metadata());
  request.cache_task = what;
  std::vector<Request> requests;
  requests.push_back(std::move(request));
  return answer_with(service, http.path, std::move(requests), {.is_raw = true}, false,
                     std::make_unique<SlotWriter>(std::move(describe)));
}

Reply save(Service& service, const HttpRequest& http, const SlotTask& task) {
  if (task.ids.empty())
    throw ApiError::invalid(fmt::format("slot {} has worked on nothing that could be saved", task.slot));
  check_slot_file_place(task.path);
  return run(service, http, CacheTask::kSave, task, [&service, task](const Finish& finish, double milliseconds) {
    if (finish.n_stored == 0) {
      throw ApiError::unavailable(fmt::format(
          "{}: none of its pages could be kept: --prefix-store-mib is too small for one, or the disk is full",
          task.name));
    }
    const auto ids = std::span(task.ids).first(static_cast<size_t>(finish.n_stored));
    try {
      write_slot_file(task.path, service.batch().fingerprint(), ids);
    } catch (const Error& error) {  // of the disk, not of the request
      throw ApiError::internal(error.what());
    }
    return Json({{"id_slot", task.slot},
                 {"filename", task.name},
                 {"n_saved", finish.n_stored},
                 {"n_written", finish.n_stored_bytes + slot_file_bytes(ids.size())},
                 {"timings", {{"save_ms", milliseconds}}}});
  });
}

Reply restore(Service& service, const HttpRequest& http, SlotTask task) {
  task.ids = read_slot_file(task.path, service.batch().fingerprint());
  const auto describe = [&service, task](const Finish& finish, double milliseconds) {
    if (finish.n_stored == 0) {
      throw ApiError::unavailable(fmt::format(
          "{}: nothing of it could be restored: its pages are no longer on disk, or the cache is full", task.name));
    }
    const auto n_restored = static_cast<size_t>(finish.n_stored);
    service.slots().set_text(task.slot, {task.ids.begin(), task.ids.begin() + finish.n_stored});
    Json answer = {{"id_slot", task.slot},
                   {"filename", task.name},
                   {"n_restored", finish.n_stored},
                   {"n_read", finish.n_stored_bytes + slot_file_bytes(task.ids.size())},
                   {"timings", {{"restore_ms", milliseconds}}}};
    if (n_restored < task.ids.size()) {
      answer["warnings"] = {
          fmt::format("the first {} of {} tokens: the rest is no longer on disk, or the cache is full", n_restored,
                      task.ids.size())};
    }
    return answer;
  };
  return run(service, http, CacheTask::kRestore, task, describe);
}

Reply erase(Service& service, const HttpRequest& http, const SlotTask& task) {
  service.slots().set_text(task.slot, {});
  const auto describe = [slot = task.slot](const Finish& finish, double) {
    return Json({{"id_slot", slot}, {"n_erased", finish.n_stored}});
  };
  if (task.ids.empty()) return json_reply(describe({}, 0));
  return run(service, http, CacheTask::kErase, task, describe);
}

int read_number(const Service& service, const std::string& text) {
  int number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const int n_slots = service.slots().size();
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number >= n_slots) {
    throw ApiError::invalid(fmt::format("slot {}: expected a number from 0 to {}", printable(text), n_slots - 1));
  }
  if (service.slots().is_taken(number)) {
    throw ApiError::unavailable(fmt::format("slot {} is at work; ask again when its answer is out", number));
  }
  return number;
}

Reply act(Service& service, const HttpRequest& http) {
  if (!service.options().show_slots) throw ApiError::disabled("/slots is switched off; start with --slots");
  SlotTask task{.slot = read_number(service, http.path_tail)};
  task.ids = service.slots().text(task.slot);
  // The last id of an answer that filled the context has no place in it.
  task.ids.resize(std::min(task.ids.size(), static_cast<size_t>(service.engine().n_ctx())));
  const std::string action(query_value(http.query, "action").value_or(""));
  if (action == "erase") return erase(service, http, task);
  if (action != "save" && action != "restore") throw ApiError::invalid("action: expected save, restore or erase");
  if (service.batch().store_folder().empty()) {
    throw ApiError::disabled("there is no folder for slot files; start with --slot-save-path");
  }
  const Json body = parse_json(http.body);
  task.name = Fields(body).required_string("filename");
  check_name(task.name);
  task.path = service.batch().store_folder() + "/" + task.name;
  return action == "save" ? save(service, http, task) : restore(service, http, task);
}

}  // namespace

void add_slot_endpoints(Router& router, Models& models) {
  router.add("POST", "/slots/*", on_model(models, act));
}

}  // namespace glint::server
