// SPDX-License-Identifier: Apache-2.0
//
// A GGUF file made from another by small edits: what happens to a model when one tensor is missing, one key is wrong,
// or the same weights lie in another layout. Everything not edited is copied as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gguf/file.h"
#include "gguf/writer.h"

namespace glint::golden {

/// A file and the bytes it points into.
struct OwnedFile {
  explicit OwnedFile(std::vector<std::byte> bytes)
      : image(std::move(bytes)), file(gguf::File::parse(image, "edited.gguf")) {}
  OwnedFile(std::vector<std::byte> bytes, const std::string& override_text)
      : image(std::move(bytes)),
        file(gguf::File::parse(image, "edited.gguf", std::vector<std::string>{override_text})) {}
  std::vector<std::byte> image;
  gguf::File file;
};

class EditedFile {
 public:
  EditedFile() = default;
  explicit EditedFile(const gguf::File& source);

  // Keys. The last word on a key counts.
  EditedFile& set(const std::string& key, uint32_t value);
  EditedFile& set_signed(const std::string& key, int32_t value);
  EditedFile& set_float(const std::string& key, float value);
  EditedFile& set_bool(const std::string& key, bool value);
  EditedFile& set_text(const std::string& key, const std::string& value);
  EditedFile& set_texts(const std::string& key, const std::vector<std::string>& values);
  EditedFile& drop_key(const std::string& key);
  /// Also renames the keys that begin with the old name.
  EditedFile& rename_architecture(const std::string& name);

  // Tensors.
  EditedFile& rename(const std::string& from, const std::string& to);
  EditedFile& drop(const std::string& name);
  EditedFile& drop_if(const std::function<bool(std::string_view name)>& condition);
  EditedFile& reshape(const std::string& name, std::vector<int64_t> dims);
  EditedFile& put(const HostTensor& tensor);
  EditedFile& put(const std::string& name, DType dtype, std::vector<int64_t> dims, std::vector<std::byte> bytes);
  EditedFile& put_floats(const std::string& name, std::vector<int64_t> dims, const std::vector<float>& values);
  const HostTensor& tensor(const std::string& name) const;
  bool has(const std::string& name) const { return find(name) != nullptr; }
  std::vector<std::string> names() const;

  std::vector<std::byte> image() const;
  OwnedFile build() const { return OwnedFile(image()); }
  OwnedFile build(const std::string& override_text) const { return OwnedFile(image(), override_text); }

 private:
  using WriteKey = std::function<void(gguf::Writer&, const std::string& key)>;
  struct Tensor {
    HostTensor description;  // bytes: of the source, or of `own`
    std::shared_ptr<const std::vector<std::byte>> own;
  };
  EditedFile& set_key(const std::string& key, WriteKey write);
  const Tensor* find(const std::string& name) const;
  Tensor& find(const std::string& name);

  std::vector<std::pair<std::string, WriteKey>> keys_;
  std::vector<Tensor> tensors_;
  std::string architecture_;
};

/// All values of a tensor, as floats.
std::vector<float> floats_of(const HostTensor& tensor);

}  // namespace glint::golden
