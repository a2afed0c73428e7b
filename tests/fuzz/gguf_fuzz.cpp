// SPDX-License-Identifier: Apache-2.0
//
// Fuzzes the GGUF reader and the override parser: whatever the bytes, the answer is a File whose every string, array
// and tensor can be read, or an Error. Anything else (another exception, a sanitizer report, a hang) is a finding.
// `make fuzz` runs it; tests/unit/gguf/fuzz_corpus_test.cpp runs the corpus in the unit tests.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/check.h"
#include "gguf/file.h"
#include "gguf/metadata.h"

namespace {

using glint::Error;
using glint::gguf::File;
using glint::gguf::Metadata;

volatile unsigned sink;  // keeps the reads

void touch(std::string_view text) {
  for (char c : text) sink = sink + static_cast<unsigned char>(c);
}

template <class Call>
void allow_error(Call call) {
  try {
    call();
  } catch (const Error& error) {
    touch(error.what());
  }
}

void read_key(const Metadata& metadata, std::string_view key) {
  touch(key);
  if (metadata.find(key) == nullptr) std::abort();
  allow_error([&] { metadata.integer(key); });
  allow_error([&] { metadata.number(key); });
  allow_error([&] { metadata.boolean(key); });
  allow_error([&] { touch(metadata.string(key)); });
  allow_error([&] {
    for (std::string_view text : metadata.strings(key)) touch(text);
  });
  allow_error([&] { metadata.integers(key); });
  allow_error([&] { metadata.numbers(key); });
  allow_error([&] { metadata.booleans(key); });
}

void read_all(const File& file) {
  for (const auto& entry : file.metadata().entries()) read_key(file.metadata(), entry.key);
  for (const auto& tensor : file.tensors()) {
    if (file.find(tensor.name) != &tensor) std::abort();
    if (tensor.bytes.empty() || tensor.elements() <= 0) std::abort();
    sink = sink + static_cast<unsigned>(tensor.bytes.front()) + static_cast<unsigned>(tensor.bytes.back());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  allow_error([&] { read_all(File::parse(bytes, "fuzz")); });
  Metadata metadata;
  allow_error([&] { metadata.apply_override({reinterpret_cast<const char*>(data), size}); });
  for (const auto& entry : metadata.entries()) read_key(metadata, entry.key);
  return 0;
}
