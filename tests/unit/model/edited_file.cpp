// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/model/edited_file.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "tensor/dequantize.h"

namespace glint::golden {
namespace {

void write_array(gguf::Writer& writer, const std::string& key, const gguf::Array& array) {
  if (const auto* texts = std::get_if<std::vector<std::string_view>>(&array.values)) {
    writer.add_strings(key, std::vector<std::string>(texts->begin(), texts->end()));
  } else if (const auto* numbers = std::get_if<std::vector<double>>(&array.values)) {
    writer.add_float32s(key, std::vector<float>(numbers->begin(), numbers->end()));
  } else if (const auto* signed_list = std::get_if<std::vector<int64_t>>(&array.values)) {
    writer.add_int32s(key, std::vector<int32_t>(signed_list->begin(), signed_list->end()));
  } else {
    const auto& list = std::get<std::vector<uint64_t>>(array.values);
    writer.add_int32s(key, std::vector<int32_t>(list.begin(), list.end()));
  }
}

void write_value(gguf::Writer& writer, const std::string& key, const gguf::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value.data)) return writer.add_string(key, *text);
  if (const auto* flag = std::get_if<bool>(&value.data)) return writer.add_bool(key, *flag);
  if (const auto* number = std::get_if<double>(&value.data)) return writer.add_float32(key, static_cast<float>(*number));
  if (const auto* number = std::get_if<uint64_t>(&value.data)) return writer.add_uint32(key, static_cast<uint32_t>(*number));
  if (const auto* number = std::get_if<int64_t>(&value.data)) return writer.add_int32(key, static_cast<int32_t>(*number));
  write_array(writer, key, std::get<gguf::Array>(value.data));
}

}  // namespace

EditedFile::EditedFile(const gguf::File& source) : architecture_(source.metadata().string("general.architecture")) {
  for (const auto& entry : source.metadata().entries()) {
    const gguf::Value value = entry.value;
    keys_.emplace_back(entry.key, [value](gguf::Writer& writer, const std::string& key) { write_value(writer, key, value); });
  }
  for (const HostTensor& tensor : source.tensors()) tensors_.push_back({tensor, {}});
}

EditedFile& EditedFile::set_key(const std::string& key, WriteKey write) {
  drop_key(key);
  keys_.emplace_back(key, std::move(write));
  return *this;
}

EditedFile& EditedFile::set(const std::string& key, uint32_t value) {
  return set_key(key, [value](gguf::Writer& writer, const std::string& name) { writer.add_uint32(name, value); });
}
EditedFile& EditedFile::set_signed(const std::string& key, int32_t value) {
  return set_key(key, [value](gguf::Writer& writer, const std::string& name) { writer.add_int32(name, value); });
}
EditedFile& EditedFile::set_float(const std::string& key, float value) {
  return set_key(key, [value](gguf::Writer& writer, const std::string& name) { writer.add_float32(name, value); });
}
EditedFile& EditedFile::set_bool(const std::string& key, bool value) {
  return set_key(key, [value](gguf::Writer& writer, const std::string& name) { writer.add_bool(name, value); });
}
EditedFile& EditedFile::set_text(const std::string& key, const std::string& value) {
  if (key == "general.architecture") architecture_ = value;
  return set_key(key, [value](gguf::Writer& writer, const std::string& name) { writer.add_string(name, value); });
}
EditedFile& EditedFile::set_texts(const std::string& key, const std::vector<std::string>& values) {
  return set_key(key, [values](gguf::Writer& writer, const std::string& name) { writer.add_strings(name, values); });
}

EditedFile& EditedFile::drop_key(const std::string& key) {
  std::erase_if(keys_, [&](const auto& entry) { return entry.first == key; });
  return *this;
}

EditedFile& EditedFile::rename_architecture(const std::string& name) {
  for (auto& [key, write] : keys_) {
    if (key.starts_with(architecture_ + ".")) key = name + key.substr(architecture_.size());
  }
  return set_text("general.architecture", name);
}

const EditedFile::Tensor* EditedFile::find(const std::string& name) const {
  const auto at = std::find_if(tensors_.begin(), tensors_.end(), [&](const Tensor& t) { return t.description.name == name; });
  return at == tensors_.end() ? nullptr : &*at;
}

EditedFile::Tensor& EditedFile::find(const std::string& name) {
  const Tensor* found = std::as_const(*this).find(name);
  if (found == nullptr) fail("the file to edit has no tensor {}", name);
  return const_cast<Tensor&>(*found);
}

EditedFile& EditedFile::rename(const std::string& from, const std::string& to) {
  find(from).description.name = to;
  return *this;
}

EditedFile& EditedFile::drop(const std::string& name) {
  find(name);
  return drop_if([&](std::string_view other) { return other == name; });
}

EditedFile& EditedFile::drop_if(const std::function<bool(std::string_view name)>& condition) {
  std::erase_if(tensors_, [&](const Tensor& tensor) { return condition(tensor.description.name); });
  return *this;
}

EditedFile& EditedFile::reshape(const std::string& name, std::vector<int64_t> dims) {
  find(name).description.dims = std::move(dims);
  return *this;
}

EditedFile& EditedFile::put(const HostTensor& tensor) {
  return put(tensor.name, tensor.dtype, tensor.dims, {tensor.bytes.begin(), tensor.bytes.end()});
}

EditedFile& EditedFile::put(const std::string& name, DType dtype, std::vector<int64_t> dims, std::vector<std::byte> bytes) {
  drop_if([&](std::string_view other) { return other == name; });
  auto own = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  tensors_.push_back({{name, dtype, std::move(dims), *own}, own});
  return *this;
}

EditedFile& EditedFile::put_floats(const std::string& name, std::vector<int64_t> dims, const std::vector<float>& values) {
  std::vector<std::byte> bytes(values.size() * sizeof(float));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return put(name, DType::kF32, std::move(dims), std::move(bytes));
}

const HostTensor& EditedFile::tensor(const std::string& name) const {
  const Tensor* found = find(name);
  if (found == nullptr) fail("the file to edit has no tensor {}", name);
  return found->description;
}

std::vector<std::string> EditedFile::names() const {
  std::vector<std::string> names;
  for (const Tensor& tensor : tensors_) names.push_back(tensor.description.name);
  return names;
}

std::vector<std::byte> EditedFile::image() const {
  gguf::Writer writer;
  for (const auto& [key, write] : keys_) write(writer, key);
  for (const Tensor& tensor : tensors_) {
    const std::span<const std::byte> bytes = tensor.description.bytes;
    writer.add_tensor(tensor.description.name, tensor.description.dtype, tensor.description.dims,
                      [bytes](uint64_t offset, std::span<std::byte> out) {
                        std::memcpy(out.data(), bytes.data() + offset, out.size());
                      });
  }
  return writer.image();
}

std::vector<float> floats_of(const HostTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  dequantize(tensor.dtype, tensor.bytes.data(), tensor.elements(), values.data());
  return values;
}

}  // namespace glint::golden
