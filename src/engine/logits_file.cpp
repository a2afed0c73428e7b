// SPDX-License-Identifier: Apache-2.0
#include "engine/logits_file.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/check.h"

namespace glint {
namespace fs = std::filesystem;
namespace {

constexpr std::array<char, 8> kMagic = {'_', 'l', 'o', 'g', 'i', 't', 's', '_'};
constexpr int64_t kHeaderBytes = 8 + 3 * sizeof(int32_t);
constexpr float kMostCode = 65535;
constexpr float kRange = 16;  // nats below the largest that codes reach
/// A largest log-probability is at most 0, but for the rounding of some tens in f32.
constexpr float kMostLogP = 0.001f;

template <class T>
T load(std::span<const std::byte> bytes, int64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

bool is_logits_file(const std::string& path) {
  std::array<char, 8> magic{};
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return false;
  const bool same = std::fread(magic.data(), 1, magic.size(), file) == magic.size() && magic == kMagic;
  std::fclose(file);
  return same;
}

}  // namespace

int64_t LogitsFileShape::chunk_bytes() const {
  // At most 2^31 * 4 + 2^30 * 2^33: no overflow, whatever a file says.
  return int64_t{n_ctx} * 4 + int64_t{n_scored()} * row_codes() * 2;
}

void encode_row(const Distribution& distribution, std::span<uint16_t> row) {
  const std::span<const float> logits = distribution.values;
  const float most = logits[static_cast<size_t>(distribution.top)];
  const float least = std::max(*std::min_element(logits.begin(), logits.end()), most - kRange);
  const float step = (most - least) / kMostCode;
  const auto least_log_p = static_cast<float>(least - distribution.log_sum);
  std::fill(row.begin(), row.end(), uint16_t{0});
  std::memcpy(row.data(), &step, sizeof(step));
  std::memcpy(row.data() + 2, &least_log_p, sizeof(least_log_p));
  if (step == 0) return;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (logits[id] > least)
      row[4 + id] = static_cast<uint16_t>(std::min(std::nearbyint((logits[id] - least) / step), kMostCode));
  }
}

LogitsFile LogitsFile::open(const std::string& path) {
  FileMap map = FileMap::open(path);
  LogitsFile file(map.bytes(), path);
  file.map_ = std::move(map);
  return file;
}

LogitsFile LogitsFile::parse(std::span<const std::byte> bytes, std::string name) {
  return LogitsFile(bytes, std::move(name));
}

LogitsFile::LogitsFile(std::span<const std::byte> bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (size < kHeaderBytes || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) {
    fail("{}: no file of --kl-divergence-base: it does not begin with _logits_ and three counts", name_);
  }
  shape_ = {load<int32_t>(bytes, 8), load<int32_t>(bytes, 12), load<int32_t>(bytes, 16)};
  if (shape_.n_ctx < 3 || shape_.n_vocab < 1 || shape_.n_chunks < 1) {
    fail("{}: no file of --kl-divergence-base: {} chunks of {} tokens of a vocabulary of {}", name_, shape_.n_chunks,
         shape_.n_ctx, shape_.n_vocab);
  }
  const int64_t data = size - kHeaderBytes;
  if (data % shape_.chunk_bytes() != 0 || data / shape_.chunk_bytes() != shape_.n_chunks) {
    fail("{}: torn: {} chunks of {} tokens of a vocabulary of {} are not {} bytes; write it again", name_,
         shape_.n_chunks, shape_.n_ctx, shape_.n_vocab, size);
  }
  const int64_t n_tokens = int64_t{shape_.n_chunks} * shape_.n_ctx;
  for (int64_t i = 0; i < n_tokens; ++i) {
    const auto id = load<int32_t>(bytes, kHeaderBytes + i * 4);
    if (id < 0 || id >= shape_.n_vocab) {
      fail("{}: damaged: token {} is id {}, outside the vocabulary of {}", name_, i, id, shape_.n_vocab);
    }
  }
}

std::vector<int32_t> LogitsFile::tokens() const {
  std::vector<int32_t> tokens(static_cast<size_t>(shape_.n_chunks) * static_cast<size_t>(shape_.n_ctx));
  std::memcpy(tokens.data(), bytes_.data() + kHeaderBytes, tokens.size() * sizeof(int32_t));
  return tokens;
}

Distribution LogitsFile::row(int chunk, int position, std::span<float> values) const {
  GLINT_CHECK(chunk >= 0 && chunk < shape_.n_chunks && position >= 0 && position < shape_.n_scored());
  GLINT_CHECK(values.size() == static_cast<size_t>(shape_.n_vocab));
  const int64_t index = int64_t{chunk} * shape_.n_scored() + position;
  const int64_t at = kHeaderBytes + int64_t{shape_.n_chunks} * shape_.n_ctx * 4 + index * shape_.row_codes() * 2;
  const auto step = load<float>(bytes_, at);
  const auto least = load<float>(bytes_, at + 4);
  // NaN fails each comparison.
  if (!(step >= 0 && std::isfinite(least) && step * kMostCode + least <= kMostLogP)) {
    fail("{}: damaged: position {} of chunk {} has steps of {} from {}, which are no log-probabilities", name_,
         position, chunk, step, least);
  }
  Distribution result{values, 0, 0};
  for (int32_t id = 0; id < shape_.n_vocab; ++id) {
    const auto i = static_cast<size_t>(id);
    values[i] = step * load<uint16_t>(bytes_, at + 8 + int64_t{id} * 2) + least;
    if (values[i] > values[static_cast<size_t>(result.top)]) result.top = id;
  }
  return result;
}

LogitsFileWriter::LogitsFileWriter(std::string path, const LogitsFileShape& shape, std::span<const int32_t> tokens)
    : path_(std::move(path)), shape_(shape), rows_left_(int64_t{shape.n_chunks} * shape.n_scored()) {
  GLINT_CHECK(static_cast<int64_t>(tokens.size()) == int64_t{shape.n_chunks} * shape.n_ctx);
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path_, error);
  if (fs::exists(status) && !(fs::is_regular_file(status) && is_logits_file(path_))) {
    fail("{}: there is something of this name that no --kl-divergence-base wrote; it is not replaced", path_);
  }
  const fs::space_info space = fs::space(fs::absolute(path_).parent_path(), error);
  const int64_t bytes = kHeaderBytes + int64_t{shape.n_chunks} * shape.chunk_bytes();
  if (!error && static_cast<uintmax_t>(bytes) > space.available) {
    fail("{}: takes {} MiB and {} MiB are free there; fewer --chunks take less", path_, (bytes >> 20) + 1,
         space.available >> 20);
  }
  const std::string partial = fmt::format("{}.{}.partial", path_, getpid());
  file_ = {std::fopen(partial.c_str(), "wb"), {partial}};
  if (!file_) refuse(errno);
  write(kMagic.data(), kMagic.size());
  for (int32_t count : {shape.n_ctx, shape.n_vocab, shape.n_chunks}) write(&count, sizeof(count));
  write(tokens.data(), tokens.size_bytes());
}

void LogitsFileWriter::Discard::operator()(std::FILE* file) const {
  std::fclose(file);
  std::remove(path.c_str());
}

void LogitsFileWriter::add(std::span<const uint16_t> rows) {
  const auto row = static_cast<size_t>(shape_.row_codes());
  GLINT_CHECK(rows.size() % row == 0 && rows.size() / row <= static_cast<size_t>(rows_left_));
  rows_left_ -= static_cast<int64_t>(rows.size() / row);
  write(rows.data(), rows.size_bytes());
}

void LogitsFileWriter::finish() {
  GLINT_CHECK(rows_left_ == 0);
  const std::string& partial = file_.get_deleter().path;
  if (std::fflush(file_.get()) != 0 || std::rename(partial.c_str(), path_.c_str()) != 0) refuse(errno);
  std::fclose(file_.release());
}

void LogitsFileWriter::write(const void* data, size_t bytes) {
  if (std::fwrite(data, 1, bytes, file_.get()) != bytes) refuse(errno);
}

void LogitsFileWriter::refuse(int reason) const {
  fail("{}: cannot be written: {}", path_, std::strerror(reason));
}

}  // namespace glint
