// SPDX-License-Identifier: Apache-2.0
//
// The fuzzer's corpus as a unit test, and where its seeds come from: small files with one of everything, right and
// wrong. A crash that the fuzzer finds is added to tests/fuzz/corpus/gguf and stays fixed.
// To write the seeds anew: test_gguf --gtest_also_run_disabled_tests --gtest_filter=*WriteSeeds
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "base/file_map.h"
#include "gguf/writer.h"
#include "tests/fuzz/gguf_fuzz.cpp"
#include "tests/unit/gguf/raw_file.h"

namespace glint::gguf {
namespace {

const std::filesystem::path kCorpus = std::filesystem::path(GLINT_TEST_DATA) / ".." / "fuzz" / "corpus" / "gguf";

std::vector<std::byte> one_of_each_key() {
  RawFile raw;
  const size_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // by type id
  for (uint32_t type = 0; type < 13; ++type) {
    const std::string name = "k" + std::to_string(type);
    if (type == 8) {
      raw.key(name, type, Bytes().string("text"));
      raw.key("a" + name, ValueType::kArray, Bytes().add(type).add(uint64_t{2}).string("").string("xy"));
    } else if (type != 9) {
      raw.key(name, type, Bytes().zeros(widths[type]));
      raw.key("a" + name, ValueType::kArray, Bytes().add(type).add(uint64_t{3}).zeros(3 * widths[type]));
    }
  }
  return raw.bytes();
}

std::vector<std::byte> one_of_each_type() {
  Writer writer(8);
  writer.add_string("general.architecture", "llama");
  for (const DTypeTraits& format : all_dtypes()) {
    writer.add_tensor(std::string(format.name), format.dtype, {1, format.block_elements},
                      std::vector<std::byte>(static_cast<size_t>(format.block_bytes)));
  }
  return writer.image();
}

std::vector<std::byte> one_of_each_rank() {
  RawFile raw;
  raw.version = 2;
  for (size_t rank = 0; rank <= 4; ++rank) {
    raw.tensor("t" + std::to_string(rank), std::vector<uint64_t>(rank, 2), 0, rank * 64);
  }
  return raw.data(5 * 64).bytes();
}

std::map<std::string, std::vector<std::byte>> seeds() {
  std::map<std::string, std::vector<std::byte>> seeds;
  seeds["keys"] = one_of_each_key();
  seeds["types"] = one_of_each_type();
  seeds["ranks"] = one_of_each_rank();
  seeds["cut"] = std::vector(seeds["types"].begin(), seeds["types"].end() - 5);
  seeds["part"] = RawFile().u32("split.no", 1).u32("split.count", 3).u32("split.tensors.count", 0).bytes();
  seeds["joined"] = RawFile().u32("a", 1).bytes();
  seeds["joined"].insert(seeds["joined"].end(), seeds["part"].begin(), seeds["part"].end());
  seeds["alignment"] = RawFile().u32("general.alignment", 24).tensor("t", {8}, 0, 0).data(32).bytes();
  seeds["overflow"] = RawFile().tensor("t", {uint64_t{1} << 32, uint64_t{1} << 32}, 0, 0).data(4).bytes();
  seeds["page"] = Bytes().text("<!DOCTYPE html>").get();
  seeds["override"] = Bytes().text("a.b=int:-2,c=float:1e-5,d=bool:true,\"e=str:x, \"\"y\"\"\"").get();
  return seeds;
}

TEST(FuzzCorpus, EveryFileIsHandled) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kCorpus)) {
    SCOPED_TRACE(entry.path().string());
    const FileMap map = FileMap::open(entry.path().string());
    EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(map.bytes().data()), map.bytes().size()), 0);
    ++files;
  }
  EXPECT_GE(files, static_cast<int>(seeds().size()));
}

TEST(FuzzCorpus, SeedsAreCurrent) {
  for (const auto& [name, bytes] : seeds()) {
    const FileMap map = FileMap::open((kCorpus / name).string());
    EXPECT_TRUE(std::ranges::equal(map.bytes(), bytes)) << name << ": write the seeds anew (see the top of this file)";
  }
}

TEST(FuzzCorpus, DISABLED_WriteSeeds) {
  std::filesystem::create_directories(kCorpus);
  for (const auto& [name, bytes] : seeds()) {
    std::ofstream(kCorpus / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace
}  // namespace glint::gguf
