// SPDX-License-Identifier: Apache-2.0
#include "engine/prefix_store.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "model/kv_pages.h"

namespace glint {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kExtension = ".glintpage";
constexpr std::string_view kPartial = ".partial";  // of a file that is being written, or was when a process died
constexpr int64_t kMostQueuedBytes = 256LL << 20;

/// Eight independent lanes, each multiplied and mixed word by word: finds what torn and damaged files have wrong at the
/// speed of memory. Not meant against intent: whoever may write the folder may write anything.
uint64_t checksum(std::span<const std::byte> bytes) {
  constexpr uint64_t kPrime = 0x9E3779B97F4A7C15ULL;
  std::array<uint64_t, 8> lanes{};
  for (size_t i = 0; i < lanes.size(); ++i) lanes[i] = bytes.size() + i;
  const auto mix = [&](uint64_t& lane, uint64_t word) {
    lane = (lane ^ word) * kPrime;
    lane ^= lane >> 32;
  };
  while (bytes.size() >= sizeof(lanes)) {
    std::array<uint64_t, 8> words;
    std::memcpy(words.data(), bytes.data(), sizeof(words));
    for (size_t i = 0; i < lanes.size(); ++i) mix(lanes[i], words[i]);
    bytes = bytes.subspan(sizeof(words));
  }
  for (std::byte byte : bytes) mix(lanes[0], static_cast<uint64_t>(byte));
  uint64_t sum = 0;
  for (uint64_t lane : lanes) mix(sum, lane);
  return sum;
}

Digest from_hex(std::string_view text) {
  Digest digest{};
  const auto value = [](char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  for (size_t i = 0; i < digest.size(); ++i)
    digest[i] = static_cast<uint8_t>(value(text[2 * i]) << 4 | value(text[2 * i + 1]));
  return digest;
}

bool is_ours(const std::string& file_name) {
  return file_name.size() == 64 + kExtension.size() && file_name.ends_with(kExtension) &&
         file_name.find_first_not_of("0123456789abcdef") == 64;
}

}  // namespace

struct PrefixStore::Header {
  std::array<char, 8> magic = {'g', 'l', 'i', 'n', 't', 'p', 'g', '1'};
  Digest name{};
  std::array<int32_t, kPageTokens> ids{};
  int64_t n_bytes = 0;
  uint64_t sum = 0;
};

PrefixStore::PrefixStore(PrefixStoreOptions options, const Digest& fingerprint, int64_t page_bytes)
    : options_(std::move(options)), fingerprint_(fingerprint), page_bytes_(page_bytes) {
  scan();
  thread_ = std::thread([this] { run(); });
}

PrefixStore::~PrefixStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::string PrefixStore::path(const Digest& name) const {
  return options_.folder + "/" + to_hex(name) + std::string(kExtension);
}

void PrefixStore::scan() {
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (!fs::is_directory(options_.folder, error))
    fail("{}: no folder for the prefix store, and none can be made", options_.folder);
  struct Found {
    fs::file_time_type time;
    std::string name;
    int64_t bytes;
  };
  std::vector<Found> found;
  for (fs::directory_iterator it(options_.folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code unreadable;
    if (name.ends_with(kPartial) && is_ours(name.substr(0, name.size() - kPartial.size())))
      fs::remove(it->path(), unreadable);
    if (!is_ours(name) || !it->is_regular_file(unreadable)) continue;
    found.push_back({it->last_write_time(unreadable), name, static_cast<int64_t>(it->file_size(unreadable))});
  }
  if (error) fail("{}: the prefix store cannot be read: {}", options_.folder, error.message());
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.time < b.time; });
  for (const Found& file : found) enter(from_hex(file.name), file.bytes);
  make_room(0);
}

void PrefixStore::extend(std::vector<Digest>& names, std::span<const int32_t> ids) const {
  while ((names.size() + 1) * kPageTokens <= ids.size()) {
    Sha256 hash;
    hash.add(std::as_bytes(std::span(names.empty() ? fingerprint_ : names.back())));
    for (int32_t id : ids.subspan(names.size() * kPageTokens, kPageTokens)) hash.add(static_cast<uint64_t>(id), 4);
    names.push_back(hash.digest());
  }
}

bool PrefixStore::has(const Digest& name) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(name);
}

int64_t PrefixStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

bool PrefixStore::read(const Digest& name, std::span<const int32_t> ids, std::span<std::byte> page) {
  GLINT_CHECK(ids.size() == kPageTokens && static_cast<int64_t>(page.size()) == page_bytes_);
  if (!has(name)) return false;
  std::ifstream file(path(name), std::ios::binary);
  if (!file) {  // another process made room
    const std::lock_guard lock(mutex_);
    forget(name);
    return false;
  }
  Header header;
  const bool whole = file.read(reinterpret_cast<char*>(&header), sizeof(header)) &&
                     file.read(reinterpret_cast<char*>(page.data()), static_cast<std::streamsize>(page.size())) &&
                     file.peek() == std::ifstream::traits_type::eof();
  if (whole && header.magic == Header().magic && header.name == name &&
      std::equal(ids.begin(), ids.end(), header.ids.begin()) && header.n_bytes == page_bytes_ &&
      header.sum == checksum(page)) {
    return true;
  }
  if (options_.warn) options_.warn(fmt::format("{}: torn or damaged; it is not used", path(name)));
  const std::lock_guard lock(mutex_);
  forget(name);  // the next page of this name replaces the file
  return false;
}

int64_t PrefixStore::file_bytes() const {
  return static_cast<int64_t>(sizeof(Header)) + page_bytes_;
}

void PrefixStore::write(const Digest& name, std::span<const int32_t> ids, std::vector<std::byte> page, bool may_drop) {
  GLINT_CHECK(ids.size() == kPageTokens && static_cast<int64_t>(page.size()) == page_bytes_);
  enqueue({.name = name, .ids = {ids.begin(), ids.end()}, .page = std::move(page), .used = {}, .then = {}}, may_drop);
}

void PrefixStore::used(std::vector<Digest> names) {
  enqueue({.name = {}, .ids = {}, .page = {}, .used = std::move(names), .then = {}}, true);
}

void PrefixStore::when_written(std::function<void()> then) {
  enqueue({.name = {}, .ids = {}, .page = {}, .used = {}, .then = std::move(then)}, false);
}

void PrefixStore::enqueue(Work work, bool may_drop) {
  {
    const std::lock_guard lock(mutex_);
    const auto bytes = static_cast<int64_t>(work.page.size());
    if (may_drop && queued_bytes_ + bytes > kMostQueuedBytes) return;  // the disk is slower than the model
    queued_bytes_ += bytes;
    queue_.push_back(std::move(work));
  }
  changed_.notify_all();
}

void PrefixStore::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !busy_; });
}

void PrefixStore::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    carry_out(work);
    lock.lock();
    queued_bytes_ -= static_cast<int64_t>(work.page.size());
    busy_ = false;
    changed_.notify_all();
  }
}

void PrefixStore::carry_out(const Work& work) {
  if (work.then) return work.then();
  if (!work.page.empty()) {
    if (!has(work.name)) write_file(work);
    return;
  }
  // Backwards, so that a text's beginning, without which the rest is of no use, is the youngest.
  for (auto name = work.used.rbegin(); name != work.used.rend(); ++name) touch(*name);
}

void PrefixStore::write_file(const Work& work) {
  Header header;
  header.name = work.name;
  std::copy(work.ids.begin(), work.ids.end(), header.ids.begin());
  header.n_bytes = page_bytes_;
  header.sum = checksum(work.page);
  const int64_t n_bytes = file_bytes();
  {
    const std::lock_guard lock(mutex_);
    if (n_bytes > options_.most_bytes) return;
    make_room(n_bytes);
  }
  const std::string final_path = path(work.name), partial = final_path + std::string(kPartial);
  std::ofstream file(partial, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(&header), sizeof(header));
  file.write(reinterpret_cast<const char*>(work.page.data()), static_cast<std::streamsize>(work.page.size()));
  file.close();
  std::error_code error;
  if (file) fs::rename(partial, final_path, error);
  if (!file || error) {
    if (options_.warn) options_.warn(fmt::format("{}: cannot be written; the page is not kept", final_path));
    fs::remove(partial, error);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    enter(work.name, n_bytes);
  }
  touch(work.name);
}

/// Makes a file the most recently used, also for the next process: times are given, as clocks of file systems are
/// coarse.
void PrefixStore::touch(const Digest& name) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return;
    order_.splice(order_.end(), order_, found->second.order);
  }
  const auto now = fs::file_time_type::clock::now().time_since_epoch();
  clock_ =
      std::max(clock_ + 1, static_cast<int64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()));
  std::error_code gone;
  fs::last_write_time(
      path(name),
      fs::file_time_type(std::chrono::duration_cast<fs::file_time_type::duration>(std::chrono::nanoseconds(clock_))),
      gone);
}

void PrefixStore::enter(const Digest& name, int64_t bytes) {
  forget(name);
  entries_.emplace(name, Entry{bytes, order_.insert(order_.end(), name)});
  bytes_ += bytes;
}

void PrefixStore::forget(const Digest& name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  bytes_ -= found->second.bytes;
  order_.erase(found->second.order);
  entries_.erase(found);
}

void PrefixStore::make_room(int64_t bytes) {
  while (!order_.empty() && bytes_ + bytes > options_.most_bytes) {
    const Digest oldest = order_.front();
    std::error_code gone;
    fs::remove(path(oldest), gone);
    forget(oldest);
  }
}

}  // namespace glint
