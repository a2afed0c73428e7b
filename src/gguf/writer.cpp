// SPDX-License-Identifier: Apache-2.0
#include "gguf/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/printable.h"
#include "gguf/metadata.h"

namespace glint::gguf {

namespace {

// Large enough that a Fill with many threads has work for all of them, small enough to stay in cache on its way out.
constexpr uint64_t kChunk = 16 << 20;

uint64_t align_up(uint64_t position, uint64_t alignment) {
  return (position + alignment - 1) / alignment * alignment;
}

template <class T>
void append(std::vector<std::byte>& bytes, const T& value) {
  const auto* raw = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), raw, raw + sizeof(T));
}

void append(std::vector<std::byte>& bytes, std::string_view text) {
  append(bytes, uint64_t{text.size()});
  const auto* raw = reinterpret_cast<const std::byte*>(text.data());
  bytes.insert(bytes.end(), raw, raw + text.size());
}

// A file beside the target that takes its place when complete, and vanishes otherwise.
class ReplacementFile {
 public:
  explicit ReplacementFile(const std::string& path) : path_(path) {
    for (int attempt = 0; descriptor_ < 0; ++attempt) {
      temporary_ = fmt::format("{}.partial-{}-{}", path, ::getpid(), attempt);
      descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ < 0 && errno != EEXIST) fail("{}: cannot create: {}", path, std::strerror(errno));
    }
  }
  ReplacementFile(const ReplacementFile&) = delete;
  ReplacementFile& operator=(const ReplacementFile&) = delete;
  ~ReplacementFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail("{}: cannot write: {}", path_, std::strerror(errno));
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
  }

  void commit() {
    if (::close(std::exchange(descriptor_, -1)) != 0) fail("{}: cannot write: {}", path_, std::strerror(errno));
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
      fail("{}: cannot rename {} to it: {}", path_, temporary_, std::strerror(errno));
    }
    temporary_.clear();
  }

 private:
  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace

struct Writer::Impl {
  struct Tensor {
    std::string name;
    DType dtype;
    std::vector<int64_t> dims;  // outermost first
    uint64_t size;
    uint64_t offset;  // from the start of the data
    Fill fill;
  };

  uint32_t alignment;
  uint64_t n_keys = 0;
  uint64_t data_size = 0;
  std::vector<std::byte> keys;  // encoded
  std::vector<Tensor> tensors;
  std::set<std::string, std::less<>> key_names;
  std::set<std::string, std::less<>> tensor_names;

  template <class T>
  void add_key(std::string_view key, ValueType type, const T& value) {
    start_key(key, type);
    append(keys, value);
  }

  void start_key(std::string_view key, ValueType type) {
    if (!key_names.emplace(key).second) fail("writing GGUF: key {} is there twice", printable(key));
    append(keys, key);
    append(keys, static_cast<uint32_t>(type));
    ++n_keys;
  }

  void start_array(std::string_view key, ValueType element_type, size_t count) {
    start_key(key, ValueType::kArray);
    append(keys, static_cast<uint32_t>(element_type));
    append(keys, uint64_t{count});
  }

  void add_tensor(Tensor tensor) {
    const DTypeTraits& format = traits(tensor.dtype);
    if (tensor.dims.empty() || tensor.dims.size() > 4 || std::ranges::min(tensor.dims) < 1 ||
        tensor.dims.back() % format.block_elements != 0) {
      fail("writing GGUF: tensor {} with dimensions {} as {}: expected 1 to 4 positive ones, the last a multiple of {}",
           printable(tensor.name), fmt::join(tensor.dims, " x "), format.name, format.block_elements);
    }
    if (!tensor_names.insert(tensor.name).second) {
      fail("writing GGUF: tensor {} is there twice", printable(tensor.name));
    }
    tensor.size = static_cast<uint64_t>(row_bytes(tensor.dtype, tensor.dims.back()));
    for (size_t i = 0; i + 1 < tensor.dims.size(); ++i) tensor.size *= static_cast<uint64_t>(tensor.dims[i]);
    tensor.offset = data_size;
    data_size += align_up(tensor.size, alignment);
    tensors.push_back(std::move(tensor));
  }

  // Everything before the data, padded.
  std::vector<std::byte> header() const {
    std::vector<std::byte> bytes;
    for (char c : {'G', 'G', 'U', 'F'}) bytes.push_back(static_cast<std::byte>(c));
    append(bytes, uint32_t{3});
    append(bytes, uint64_t{tensors.size()});
    append(bytes, n_keys);
    bytes.insert(bytes.end(), keys.begin(), keys.end());
    for (const Tensor& tensor : tensors) {
      append(bytes, std::string_view(tensor.name));
      append(bytes, static_cast<uint32_t>(tensor.dims.size()));
      for (size_t i = tensor.dims.size(); i-- > 0;) append(bytes, static_cast<uint64_t>(tensor.dims[i]));
      append(bytes, static_cast<uint32_t>(tensor.dtype));
      append(bytes, tensor.offset);
    }
    bytes.resize(align_up(bytes.size(), alignment));
    return bytes;
  }

  // Hands the whole file to `sink` piece by piece.
  template <class Sink>
  void emit(Sink&& sink) const {
    sink(std::span<const std::byte>(header()));
    std::vector<std::byte> buffer;
    for (const Tensor& tensor : tensors) {
      const uint64_t padded = align_up(tensor.size, alignment);
      for (uint64_t offset = 0; offset < padded; offset += kChunk) {
        const uint64_t length = std::min(kChunk, padded - offset);
        buffer.assign(length, std::byte{0});
        if (offset < tensor.size) tensor.fill(offset, std::span(buffer).first(std::min(length, tensor.size - offset)));
        sink(std::span<const std::byte>(buffer));
      }
    }
  }
};

Writer::Writer(uint32_t alignment) : impl_(std::make_unique<Impl>()) {
  if (alignment < 8 || !std::has_single_bit(alignment)) {
    fail("writing GGUF: alignment {}, expected a power of two of at least 8", alignment);
  }
  impl_->alignment = alignment;
  if (alignment != 32) add_uint32("general.alignment", alignment);
}

Writer::~Writer() = default;

void Writer::add_uint32(std::string_view key, uint32_t value) {
  impl_->add_key(key, ValueType::kUint32, value);
}
void Writer::add_int32(std::string_view key, int32_t value) {
  impl_->add_key(key, ValueType::kInt32, value);
}
void Writer::add_uint64(std::string_view key, uint64_t value) {
  impl_->add_key(key, ValueType::kUint64, value);
}
void Writer::add_float32(std::string_view key, float value) {
  impl_->add_key(key, ValueType::kFloat32, value);
}
void Writer::add_bool(std::string_view key, bool value) {
  impl_->add_key(key, ValueType::kBool, uint8_t{value});
}
void Writer::add_string(std::string_view key, std::string_view value) {
  impl_->add_key(key, ValueType::kString, value);
}

void Writer::add_strings(std::string_view key, std::span<const std::string> values) {
  impl_->start_array(key, ValueType::kString, values.size());
  for (const std::string& value : values) append(impl_->keys, std::string_view(value));
}

void Writer::add_int32s(std::string_view key, std::span<const int32_t> values) {
  impl_->start_array(key, ValueType::kInt32, values.size());
  for (int32_t value : values) append(impl_->keys, value);
}

void Writer::add_float32s(std::string_view key, std::span<const float> values) {
  impl_->start_array(key, ValueType::kFloat32, values.size());
  for (float value : values) append(impl_->keys, value);
}

void Writer::add_tensor(std::string name, DType dtype, std::vector<int64_t> dims, Fill fill) {
  impl_->add_tensor({std::move(name), dtype, std::move(dims), 0, 0, std::move(fill)});
}

void Writer::add_tensor(std::string name, DType dtype, std::vector<int64_t> dims, std::vector<std::byte> bytes) {
  const size_t given = bytes.size();
  const auto shared = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  add_tensor(std::move(name), dtype, std::move(dims), [shared](uint64_t offset, std::span<std::byte> destination) {
    std::memcpy(destination.data(), shared->data() + offset, destination.size());
  });
  const Impl::Tensor& tensor = impl_->tensors.back();
  if (given != tensor.size) {
    fail("writing GGUF: tensor {} has {} bytes, expected {}", printable(tensor.name), given, tensor.size);
  }
}

uint64_t Writer::total_bytes() const {
  return impl_->header().size() + impl_->data_size;
}

void Writer::write(const std::string& path, const std::function<void(uint64_t, uint64_t)>& progress) {
  const uint64_t total = total_bytes();
  uint64_t done = 0;
  uint64_t reported = 0;
  ReplacementFile file(path);
  impl_->emit([&](std::span<const std::byte> piece) {
    file.write(piece);
    done += piece.size();
    if (progress && (done - reported >= kChunk / 2 || done == total)) {
      progress(done, total);
      reported = done;
    }
  });
  file.commit();
}

std::vector<std::byte> Writer::image() {
  std::vector<std::byte> bytes;
  bytes.reserve(total_bytes());
  impl_->emit([&](std::span<const std::byte> piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); });
  return bytes;
}

}  // namespace glint::gguf
