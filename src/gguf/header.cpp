// SPDX-License-Identifier: Apache-2.0
#include "gguf/header.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/printable.h"
#include "gguf/cursor.h"

namespace glint::gguf {

namespace {

constexpr uint64_t kMaxName = 65535;          // GGUF's own limit for keys
constexpr uint64_t kMinKeyBytes = 8 + 4 + 1;  // empty key, type, one byte
constexpr uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;
constexpr uint32_t kMaxRank = 4;
constexpr uint64_t kMinAlignment = 8;
constexpr uint64_t kMaxAlignment = 1 << 20;
constexpr uint64_t kDefaultAlignment = 32;

uint64_t align_up(uint64_t position, uint64_t alignment) {
  return (position + alignment - 1) / alignment * alignment;
}

// ---- the first 24 bytes

// What a file that is no GGUF probably is; users mostly meet the first two.
const char* guess_format(std::string_view text) {
  const size_t first = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  if (text.substr(first).starts_with("<")) return "a web page; download the file itself, not the page about it";
  if (text.starts_with("version https://git-lfs")) return "a Git LFS pointer; fetch the file itself with git lfs pull";
  if (text.starts_with("PK")) return "a zip archive or PyTorch checkpoint; convert it to GGUF";
  if (text.size() > 9 && text[8] == '{') return "a safetensors file; convert it to GGUF";
  if (text.starts_with("lmgg") || text.starts_with("fmgg") || text.starts_with("tjgg")) {
    return "a model from before GGUF; convert or download it again";
  }
  return "not a GGUF file, or a later piece of one that was cut";
}

void check_magic(std::span<const std::byte> bytes, const std::string& file_name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.empty()) fail("{}: the file is empty", file_name);
  if (!text.starts_with("GGUF")) {
    fail("{}: starts with \"{}\", expected \"GGUF\": {}", file_name, printable(text.substr(0, 4)), guess_format(text));
  }
  if (text.size() < 24) {
    fail("{}: only {} bytes; a GGUF header has at least 24: incomplete download", file_name, text.size());
  }
}

uint32_t read_version(Cursor& cursor, const std::string& file_name) {
  const auto version = cursor.read<uint32_t>();
  if (version == 2 || version == 3) return version;
  if ((version & 0xffff) == 0 && version != 0) {
    fail("{}: a big-endian GGUF file; glint reads little-endian files (convert it with gguf-py's convert-endian)",
         file_name);
  }
  fail("{}: GGUF version {}, expected 2 or 3{}", file_name, version,
       version == 1 ? ": convert it again from the original" : "");
}

// ---- metadata

template <class T, class Wide>
Array read_numbers(Cursor& cursor, ValueType type, uint64_t count) {
  cursor.require(count, sizeof(T), "array");
  std::vector<Wide> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) values.push_back(static_cast<Wide>(cursor.read<T>()));
  return {type, std::move(values)};
}

bool read_bool(Cursor& cursor) {
  const auto byte = cursor.read<uint8_t>();
  if (byte > 1) fail("{}: a bool of value {}, expected 0 or 1", cursor.place(), byte);
  return byte == 1;
}

Array read_bools(Cursor& cursor, uint64_t count) {
  cursor.require(count, 1, "array");
  std::vector<bool> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) values.push_back(read_bool(cursor));
  return {ValueType::kBool, std::move(values)};
}

Array read_strings(Cursor& cursor, uint64_t count) {
  cursor.require(count, sizeof(uint64_t), "array");
  std::vector<std::string_view> values;
  values.reserve(count);
  for (uint64_t i = 0; i < count; ++i) values.push_back(cursor.read_string());
  return {ValueType::kString, std::move(values)};
}

Array read_array(Cursor& cursor) {
  const auto id = cursor.read<uint32_t>();
  const auto count = cursor.read<uint64_t>();
  const auto type = static_cast<ValueType>(id);
  switch (type) {
    case ValueType::kUint8:
      return read_numbers<uint8_t, uint64_t>(cursor, type, count);
    case ValueType::kInt8:
      return read_numbers<int8_t, int64_t>(cursor, type, count);
    case ValueType::kUint16:
      return read_numbers<uint16_t, uint64_t>(cursor, type, count);
    case ValueType::kInt16:
      return read_numbers<int16_t, int64_t>(cursor, type, count);
    case ValueType::kUint32:
      return read_numbers<uint32_t, uint64_t>(cursor, type, count);
    case ValueType::kInt32:
      return read_numbers<int32_t, int64_t>(cursor, type, count);
    case ValueType::kFloat32:
      return read_numbers<float, double>(cursor, type, count);
    case ValueType::kBool:
      return read_bools(cursor, count);
    case ValueType::kString:
      return read_strings(cursor, count);
    case ValueType::kArray:
      fail("{}: an array of arrays, which glint does not read", cursor.place());
    case ValueType::kUint64:
      return read_numbers<uint64_t, uint64_t>(cursor, type, count);
    case ValueType::kInt64:
      return read_numbers<int64_t, int64_t>(cursor, type, count);
    case ValueType::kFloat64:
      return read_numbers<double, double>(cursor, type, count);
  }
  fail("{}: unknown array type {}, expected 0 to 12", cursor.place(), id);
}

Value read_value(Cursor& cursor) {
  const auto id = cursor.read<uint32_t>();
  const auto type = static_cast<ValueType>(id);
  switch (type) {
    case ValueType::kUint8:
      return {type, uint64_t{cursor.read<uint8_t>()}};
    case ValueType::kInt8:
      return {type, int64_t{cursor.read<int8_t>()}};
    case ValueType::kUint16:
      return {type, uint64_t{cursor.read<uint16_t>()}};
    case ValueType::kInt16:
      return {type, int64_t{cursor.read<int16_t>()}};
    case ValueType::kUint32:
      return {type, uint64_t{cursor.read<uint32_t>()}};
    case ValueType::kInt32:
      return {type, int64_t{cursor.read<int32_t>()}};
    case ValueType::kFloat32:
      return {type, double{cursor.read<float>()}};
    case ValueType::kBool:
      return {type, read_bool(cursor)};
    case ValueType::kString:
      return {type, cursor.read_string()};
    case ValueType::kArray:
      return {type, read_array(cursor)};
    case ValueType::kUint64:
      return {type, cursor.read<uint64_t>()};
    case ValueType::kInt64:
      return {type, cursor.read<int64_t>()};
    case ValueType::kFloat64:
      return {type, cursor.read<double>()};
  }
  fail("{}: unknown value type {}, expected 0 to 12", cursor.place(), id);
}

std::string_view read_name(Cursor& cursor, const char* what) {
  const std::string_view name = cursor.read_string();
  if (name.empty() || name.size() > kMaxName) {
    fail("{}: a {} of {} bytes, expected 1 to {}", cursor.place(), what, name.size(), kMaxName);
  }
  cursor.set_name(name);
  return name;
}

Metadata read_metadata(Cursor& cursor, uint64_t n_keys, const std::string& file_name) {
  cursor.require(n_keys, kMinKeyBytes, "list of keys");
  Metadata metadata(file_name);
  for (uint64_t i = 0; i < n_keys; ++i) {
    cursor.enter("key", i, n_keys);
    const std::string_view key = read_name(cursor, "key");
    metadata.add(key, read_value(cursor));
  }
  return metadata;
}

uint64_t read_alignment(const Metadata& metadata) {
  const int64_t alignment = metadata.integer_or("general.alignment", kDefaultAlignment);
  const auto value = static_cast<uint64_t>(alignment);
  if (alignment < 0 || value < kMinAlignment || value > kMaxAlignment || !std::has_single_bit(value)) {
    fail("{}: general.alignment is {}, expected a power of two from {} to {}", metadata.file_name(), alignment,
         kMinAlignment, kMaxAlignment);
  }
  return value;
}

// ---- tensors

const char* removed_type_name(uint32_t id) {
  switch (id) {
    case 4:
      return " (Q4_2, removed from GGUF)";
    case 5:
      return " (Q4_3, removed from GGUF)";
    case 9:
      return " (Q8_1, not for files)";
    case 15:
      return " (Q8_K, not for files)";
    case 31:
      return " (Q4_0_4_4, removed from GGUF: use a Q4_0 file)";
    case 32:
      return " (Q4_0_4_8, removed from GGUF: use a Q4_0 file)";
    case 33:
      return " (Q4_0_8_8, removed from GGUF: use a Q4_0 file)";
    case 36:
    case 37:
    case 38:
      return " (repacked IQ4_NL, removed from GGUF: use an IQ4_NL file)";
    default:
      return "";
  }
}

// Fills `dims` with positive sizes, outermost first.
void read_dims(Cursor& cursor, TensorInfo& tensor) {
  const auto rank = cursor.read<uint32_t>();
  if (rank > kMaxRank) fail("{}: {} dimensions, expected at most {}", cursor.place(), rank, kMaxRank);
  for (uint32_t i = 0; i < rank; ++i) {
    const auto size = cursor.read<uint64_t>();
    if (size == 0) fail("{}: dimension {} is zero", cursor.place(), i);
    if (!std::in_range<int64_t>(size)) fail("{}: dimension {} is {}: size overflow", cursor.place(), i, size);
    tensor.dims.push_back(static_cast<int64_t>(size));
  }
  std::ranges::reverse(tensor.dims);
  if (rank == 0) tensor.dims = {1};
}

// Bytes of the tensor, with every product checked.
uint64_t checked_size(const Cursor& cursor, const TensorInfo& tensor) {
  const DTypeTraits& format = traits(tensor.dtype);
  const int64_t row = tensor.dims.back();
  if (row % format.block_elements != 0) {
    fail("{}: rows of {} elements, expected a multiple of {} for {}", cursor.place(), row, format.block_elements,
         format.name);
  }
  int64_t bytes = 0;
  bool overflow = __builtin_mul_overflow(row / format.block_elements, int64_t{format.block_bytes}, &bytes);
  for (size_t i = 0; i + 1 < tensor.dims.size(); ++i) {
    overflow = overflow || __builtin_mul_overflow(bytes, tensor.dims[i], &bytes);
  }
  if (overflow) {
    fail("{}: size overflow: {} of {} do not fit in 64 bits", cursor.place(), fmt::join(tensor.dims, " x "),
         format.name);
  }
  return static_cast<uint64_t>(bytes);
}

// One entry of the tensor list; `begin` is still relative to the data.
TensorInfo read_tensor(Cursor& cursor, uint64_t alignment) {
  TensorInfo tensor;
  tensor.name = read_name(cursor, "name");
  read_dims(cursor, tensor);
  const auto type = cursor.read<uint32_t>();
  const auto dtype = dtype_from_id(type);
  if (!dtype) fail("{}: type id {}{} is not supported", cursor.place(), type, removed_type_name(type));
  tensor.dtype = *dtype;
  tensor.size = checked_size(cursor, tensor);
  tensor.begin = cursor.read<uint64_t>();
  if (tensor.begin % alignment != 0) {
    fail("{}: offset {} is not a multiple of the alignment {}", cursor.place(), tensor.begin, alignment);
  }
  if (!std::in_range<int64_t>(tensor.begin)) fail("{}: offset {}: size overflow", cursor.place(), tensor.begin);
  return tensor;
}

// Makes offsets absolute and checks that each tensor ends inside the file. No sum can wrap: offset and size are below
// 2^63, and `data` is near the size of the header.
void place_tensors(std::vector<TensorInfo>& tensors, uint64_t data, uint64_t file_size, const std::string& file_name) {
  uint64_t needed = data;
  for (TensorInfo& tensor : tensors) {
    tensor.begin += data;
    needed = std::max(needed, tensor.begin + tensor.size);
  }
  for (const TensorInfo& tensor : tensors) {
    if (tensor.begin + tensor.size <= file_size) continue;
    fail(
        "{}: tensor {} ends at byte {}, out of file: the file has {} bytes, expected {}: incomplete download or damage",
        file_name, printable(tensor.name), tensor.begin + tensor.size, file_size, needed);
  }
}

// Throws when two tensors share bytes: no honest writer makes such a file. Returns where the last one ends.
uint64_t check_disjoint(const std::vector<TensorInfo>& tensors, uint64_t data, const std::string& file_name) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return tensors[i].begin; });
  uint64_t end = data;
  for (size_t i = 0; i < order.size(); ++i) {
    const TensorInfo& tensor = tensors[order[i]];
    if (tensor.begin < end) {
      fail("{}: tensors {} and {} overlap", file_name, printable(tensors[order[i - 1]].name), printable(tensor.name));
    }
    end = tensor.begin + tensor.size;
  }
  return end;
}

bool starts_gguf(std::span<const std::byte> bytes, uint64_t position) {
  if (position > bytes.size() || bytes.size() - position < 4) return false;
  return std::memcmp(bytes.data() + position, "GGUF", 4) == 0;
}

}  // namespace

Header read_header(std::span<const std::byte> bytes, const std::string& file_name) {
  check_magic(bytes, file_name);
  Cursor cursor(bytes, file_name);
  cursor.read<uint32_t>();  // the magic
  Header header;
  header.version = read_version(cursor, file_name);
  const auto n_tensors = cursor.read<uint64_t>();
  const auto n_keys = cursor.read<uint64_t>();
  if (n_tensors == 0 && n_keys == 0) fail("{}: a GGUF file without metadata and without tensors", file_name);
  header.metadata = read_metadata(cursor, n_keys, file_name);
  header.alignment = read_alignment(header.metadata);
  cursor.enter("list of tensors", 0, 0);
  cursor.require(n_tensors, kMinTensorBytes, "list of tensors");
  for (uint64_t i = 0; i < n_tensors; ++i) {
    cursor.enter("tensor", i, n_tensors);
    header.tensors.push_back(read_tensor(cursor, header.alignment));
  }
  const uint64_t data = n_tensors == 0 ? cursor.position() : align_up(cursor.position(), header.alignment);
  place_tensors(header.tensors, data, bytes.size(), file_name);
  const uint64_t end = check_disjoint(header.tensors, data, file_name);
  header.another_file_follows = starts_gguf(bytes, end) || starts_gguf(bytes, align_up(end, header.alignment));
  return header;
}

}  // namespace glint::gguf
