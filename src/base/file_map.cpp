// SPDX-License-Identifier: Apache-2.0
#include "base/file_map.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace glint {

namespace {

// A descriptor is needed only until the mapping exists.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "something else";
}

}  // namespace

FileMap FileMap::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to must be refused, not waited for.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.value < 0) fail("{}: cannot open: {}", path, std::strerror(errno));
  struct stat status {};
  if (::fstat(file.value, &status) != 0) fail("{}: cannot read its size: {}", path, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) fail("{}: is {}, expected a regular file", path, kind_of(status.st_mode));
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return FileMap({});
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) fail("{}: cannot map {} bytes into memory: {}", path, size, std::strerror(errno));
  return FileMap({static_cast<const std::byte*>(address), size});
}

FileMap::FileMap(FileMap&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

FileMap& FileMap::operator=(FileMap&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

FileMap::~FileMap() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace glint
