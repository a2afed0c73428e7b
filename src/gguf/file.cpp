// SPDX-License-Identifier: Apache-2.0
#include "gguf/file.h"

#include <filesystem>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/file_map.h"
#include "base/printable.h"
#include "gguf/header.h"
#include "gguf/split.h"

namespace glint::gguf {

struct File::Impl {
  std::string name;
  std::vector<FileMap> maps;  // empty for an image in memory
  uint32_t version = 0;
  uint64_t alignment = 0;
  uint64_t total_bytes = 0;
  int parts = 0;
  Metadata metadata;
  std::vector<HostTensor> tensors;
  std::map<std::string_view, size_t> index;  // names point into the files

  // Takes the next part's tensors, and of the first part the metadata.
  void add_part(std::span<const std::byte> bytes, const std::string& file_name, Header header) {
    for (const TensorInfo& tensor : header.tensors) {
      if (!index.try_emplace(tensor.name, tensors.size()).second) {
        fail("{}: tensor {} is there twice{}", file_name, printable(tensor.name),
             parts == 0 ? "" : " (or in an earlier part too)");
      }
      tensors.push_back(
          {std::string(tensor.name), tensor.dtype, tensor.dims, bytes.subspan(tensor.begin, tensor.size)});
    }
    if (parts == 0) {
      version = header.version;
      alignment = header.alignment;
      metadata = std::move(header.metadata);
    }
    total_bytes += bytes.size();
    ++parts;
  }

  // Opens and adds every part of the set, in order.
  void add_set(const SplitName& name);

  void apply(std::span<const std::string> overrides) {
    for (const std::string& text : overrides) metadata.apply_override(text);
  }
};

namespace {

void refuse_joined(const Header& header, const std::string& file_name) {
  if (!header.another_file_follows) return;
  fail(
      "{}: joined split files: after its last tensor another GGUF file begins; parts cannot be joined with cat. Open "
      "the parts as they are, or merge them with llama-gguf-split --merge",
      file_name);
}

// The name of a part, checked against its keys.
SplitName split_name(const std::string& path, const SplitKeys& keys) {
  const auto name = parse_split_name(path);
  if (!name) {
    fail(
        "{}: is part {} of {} of a split model, but its name does not end in -{:05}-of-{:05}.gguf, so the other parts "
        "cannot be found; rename it",
        path, keys.index + 1, keys.count, keys.index + 1, keys.count);
  }
  if (name->number != keys.index + 1 || name->count != keys.count) {
    fail("{}: the name says part {} of {}, the file says part {} of {}; rename it", path, name->number, name->count,
         keys.index + 1, keys.count);
  }
  return *name;
}

std::string part_path(const SplitName& name, int number) {
  std::string path = name.path(number);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    fail("{}: part {} of {} is missing; put all parts of the model into one folder", path, number, name.count);
  }
  return path;
}

void check_same_set(const SplitKeys& part, int index, const SplitKeys& first, const std::string& path) {
  if (part.index == index && part.count == first.count && (part.n_tensors == first.n_tensors || part.n_tensors < 0)) {
    return;
  }
  fail("{}: says part {} of {} with {} tensors in all, expected part {} of {} with {}: not of this set", path,
       part.index + 1, part.count, part.n_tensors, index + 1, first.count, first.n_tensors);
}

}  // namespace

void File::Impl::add_set(const SplitName& set) {
  SplitKeys first;
  for (int number = 1; number <= set.count; ++number) {
    const std::string path = part_path(set, number);
    FileMap map = FileMap::open(path);
    Header header = read_header(map.bytes(), path);
    refuse_joined(header, path);
    const SplitKeys keys = read_split_keys(header.metadata);
    if (number == 1) first = keys;
    check_same_set(keys, number - 1, {.index = 0, .count = set.count, .n_tensors = first.n_tensors}, path);
    add_part(map.bytes(), path, std::move(header));
    maps.push_back(std::move(map));
  }
  if (first.n_tensors >= 0 && static_cast<size_t>(first.n_tensors) != tensors.size()) {
    fail("{}: split.tensors.count is {}, but the {} parts hold {} tensors", set.path(1), first.n_tensors, set.count,
         tensors.size());
  }
}

File::File(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&&) noexcept = default;
File::~File() = default;

File File::parse(std::span<const std::byte> bytes, const std::string& name, std::span<const std::string> overrides) {
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  Header header = read_header(bytes, name);
  refuse_joined(header, name);
  const SplitKeys keys = read_split_keys(header.metadata);
  if (keys.count > 1) fail("{}: is part {} of {}; a split model is opened by path", name, keys.index + 1, keys.count);
  impl->add_part(bytes, name, std::move(header));
  impl->apply(overrides);
  return File(std::move(impl));
}

File File::open(const std::string& path, std::span<const std::string> overrides) {
  auto impl = std::make_unique<Impl>();
  impl->name = path;
  FileMap map = FileMap::open(path);
  Header header = read_header(map.bytes(), path);
  refuse_joined(header, path);
  const SplitKeys keys = read_split_keys(header.metadata);
  if (keys.count == 1) {
    impl->add_part(map.bytes(), path, std::move(header));
    impl->maps.push_back(std::move(map));
  } else {
    impl->add_set(split_name(path, keys));
  }
  impl->apply(overrides);
  return File(std::move(impl));
}

const std::string& File::name() const {
  return impl_->name;
}
uint32_t File::version() const {
  return impl_->version;
}
uint64_t File::alignment() const {
  return impl_->alignment;
}
uint64_t File::total_bytes() const {
  return impl_->total_bytes;
}
int File::parts() const {
  return impl_->parts;
}
const Metadata& File::metadata() const {
  return impl_->metadata;
}
std::span<const HostTensor> File::tensors() const {
  return impl_->tensors;
}

const HostTensor* File::find(std::string_view tensor_name) const {
  const auto found = impl_->index.find(tensor_name);
  return found == impl_->index.end() ? nullptr : &impl_->tensors[found->second];
}

}  // namespace glint::gguf
