// SPDX-License-Identifier: Apache-2.0
//
// The prefix store: what was written is there in the next process and for the same text of the same model alone; what
// is damaged is never used; room is made from the end of the least recently used text.
#include "engine/prefix_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "engine/model_fingerprint.h"
#include "model/arch/arch.h"
#include "tests/unit/engine/batch_fixture.h"

namespace glint {
namespace {

namespace fs = std::filesystem;
using namespace batch;
using testing::HasSubstr;

constexpr int64_t kPageBytes = 1000;  // no multiple of the checksum's stride

Ids range(int from, int count) {
  Ids ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), from);
  return ids;
}

class PrefixStoreTest : public testing::Test {
 protected:
  PrefixStoreTest() { fs::remove_all(folder_); }
  ~PrefixStoreTest() override { fs::remove_all(folder_); }

  PrefixStoreOptions options(int64_t most_bytes = 1 << 20) {
    return {.folder = folder_, .most_bytes = most_bytes, .warn = [this](const std::string& line) {
              warnings_.push_back(line);
            }};
  }
  static std::vector<std::byte> page_of(int value) {
    std::vector<std::byte> page(kPageBytes);
    for (size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>(value + static_cast<int>(i) * 31);
    return page;
  }
  static std::span<const int32_t> block(const Ids& ids, size_t index) {
    return std::span(ids).subspan(index * kPageTokens, kPageTokens);
  }
  /// Writes all pages of a text.
  static std::vector<Digest> write(PrefixStore& store, const Ids& ids) {
    std::vector<Digest> names;
    store.extend(names, ids);
    for (size_t i = 0; i < names.size(); ++i) store.write(names[i], block(ids, i), page_of(static_cast<int>(i)));
    store.used(names);
    store.flush();
    return names;
  }
  std::string only_file() const {
    std::string found;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      EXPECT_TRUE(found.empty());
      found = entry.path().string();
    }
    return found;
  }

  std::string folder_ =
      testing::TempDir() + "glint_store_" + testing::UnitTest::GetInstance()->current_test_info()->name();
  std::vector<std::string> warnings_;
  Digest model_{1, 2, 3};
};

TEST_F(PrefixStoreTest, PagesOutliveTheProcess) {
  const Ids ids = range(0, 3 * kPageTokens + 5);
  {
    PrefixStore store(options(), model_, kPageBytes);
    const std::vector<Digest> names = write(store, ids);
    ASSERT_EQ(names.size(), 3u);
  }
  PrefixStore store(options(), model_, kPageBytes);
  std::vector<Digest> names;
  store.extend(names, ids);
  std::vector<std::byte> page(kPageBytes);
  for (size_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(store.has(names[i]));
    ASSERT_TRUE(store.read(names[i], block(ids, i), page));
    EXPECT_EQ(page, page_of(static_cast<int>(i)));
  }
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(PrefixStoreTest, ANameIsOfAModelAndAllThatCameBefore) {
  PrefixStore store(options(), model_, kPageBytes);
  PrefixStore other(options(), Digest{9}, kPageBytes);
  Ids ids = range(0, 2 * kPageTokens);
  std::vector<Digest> names, changed, elsewhere, in_parts;
  store.extend(names, ids);
  other.extend(elsewhere, ids);
  store.extend(in_parts, std::span(ids).first(100));
  store.extend(in_parts, ids);
  ids[3] = 1000;
  store.extend(changed, ids);
  EXPECT_EQ(in_parts, names);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_NE(names[i], changed[i]);
    EXPECT_NE(names[i], elsewhere[i]);
  }
}

TEST_F(PrefixStoreTest, WhatIsDamagedIsReportedAndNotUsed) {
  const Ids ids = range(0, kPageTokens);
  const auto damaged_by = [&](auto&& damage) {
    fs::remove_all(folder_);
    warnings_.clear();
    std::vector<Digest> names;
    {
      PrefixStore store(options(), model_, kPageBytes);
      names = write(store, ids);
    }
    damage(only_file());
    PrefixStore store(options(), model_, kPageBytes);
    std::vector<std::byte> page(kPageBytes);
    const bool used = store.read(names[0], ids, page);
    EXPECT_FALSE(store.read(names[0], ids, page));
    EXPECT_EQ(warnings_.size(), 1u);
    // A new page of the name repairs it.
    store.write(names[0], ids, page_of(0));
    store.flush();
    EXPECT_TRUE(store.read(names[0], ids, page));
    return !used;
  };
  const auto flip = [](size_t at) {
    return [at](const std::string& path) {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const char byte = static_cast<char>(file.get() ^ 0x10);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(byte);
    };
  };
  const size_t header = 8 + 32 + 4 * kPageTokens + 16;
  for (size_t at :
       {size_t{0}, size_t{10}, size_t{50}, header - 12, header - 3, header, header + 500, header + kPageBytes - 1}) {
    EXPECT_TRUE(damaged_by(flip(at))) << at;
  }
  for (size_t size : {size_t{0}, header - 1, header, header + 999}) {
    EXPECT_TRUE(damaged_by([&](const std::string& path) { fs::resize_file(path, size); })) << size;
  }
  EXPECT_TRUE(damaged_by([](const std::string& path) { std::ofstream(path, std::ios::app) << "x"; }));
  EXPECT_TRUE(damaged_by([](const std::string& path) { std::ofstream(path) << "somebody else's"; }));
}

TEST_F(PrefixStoreTest, RoomIsMadeFromTheEndOfTheOldestText) {
  const int64_t file_bytes = kPageBytes + 8 + 32 + 4 * kPageTokens + 16;
  const Ids old = range(0, 3 * kPageTokens), young = range(5000, 2 * kPageTokens);
  std::vector<Digest> old_names, young_names;
  {
    PrefixStore store(options(5 * file_bytes), model_, kPageBytes);
    old_names = write(store, old);
    young_names = write(store, young);
    EXPECT_EQ(store.bytes(), 5 * file_bytes);
    write(store, range(9000, kPageTokens));
    EXPECT_FALSE(store.has(old_names[2]));
    EXPECT_TRUE(store.has(old_names[1]));
  }
  // A new process goes on with the same order, and with a lower limit.
  PrefixStore store(options(3 * file_bytes), model_, kPageBytes);
  EXPECT_FALSE(store.has(old_names[1]));
  EXPECT_FALSE(store.has(old_names[0]));
  EXPECT_TRUE(store.has(young_names[1]));
  store.used(old_names);  // gone: nothing to note
  store.flush();
  EXPECT_EQ(store.bytes(), 3 * file_bytes);
}

TEST_F(PrefixStoreTest, OtherFilesAreLeftAlone) {
  fs::create_directories(folder_);
  std::ofstream(folder_ + "/notes.txt") << "mine";
  std::ofstream(folder_ + "/" + std::string(64, 'x') + ".glintpage") << "no name of ours";
  PrefixStore store(options(10), model_, kPageBytes);
  write(store, range(0, kPageTokens));  // too large for the store
  EXPECT_EQ(store.bytes(), 0);
  EXPECT_TRUE(fs::exists(folder_ + "/notes.txt"));
  EXPECT_TRUE(fs::exists(folder_ + "/" + std::string(64, 'x') + ".glintpage"));
}

TEST_F(PrefixStoreTest, AFolderThatCannotBe) {
  std::ofstream(folder_) << "a file";
  EXPECT_THROW(PrefixStore(options(), model_, kPageBytes), Error);
}

TEST_F(PrefixStoreTest, TheFingerprintIsOfWhatMakesRows) {
  const auto of = [](const std::vector<std::string>& overrides, DecoderOptions decoder, const char* backend) {
    const gguf::File file = gguf::File::open(path_of("demo"), overrides);
    std::vector<Finding> findings;
    return model_fingerprint(file, read_spec(file, findings), decoder, backend);
  };
  const Digest plain = of({}, {}, "cpu");
  EXPECT_EQ(of({}, {.n_ctx = 999, .n_sequences = 7}, "cpu"), plain);
  EXPECT_EQ(of({"general.name=str:other"}, {}, "cpu"), plain);
  EXPECT_NE(of({"deepseek2.expert_gating_func=int:1"}, {}, "cpu"), plain);
  EXPECT_NE(of({}, {.kv = {DType::kF32, DType::kF16}}, "cpu"), plain);
  EXPECT_NE(of({}, {}, "ref"), plain);
}

/// The engine: a second process answers from disk, bit for bit as from the model.
TEST_F(PrefixStoreTest, ARestartedEngineReadsItsPromptsFromDisk) {
  const auto answer = [&](bool with_store) {
    BatchOptions batch_options{.check_invariants = true};
    if (with_store) batch_options.store = options(100 << 20);
    batch_options.loaded_pages = 3;  // several steps do nothing but load
    BatchEngine engine(open("demo", 1024, 4), batch_options);
    Request request = request_of({}, 10, 3);
    for (int i = 0; i < 700; ++i) request.ids.push_back(i * i % 8000);
    request.output.ignore_eos = true;
    request.n_logprobs = 20;
    const Told told = read_all(*engine.submit(request))[0];
    engine.flush_store();
    return told;
  };
  const Told without = answer(false);
  const Told first = answer(true);
  EXPECT_EQ(first.finish->cache.n_cached, 0);
  const Told second = answer(true);
  EXPECT_EQ(second.finish->cache.n_cached, 640);
  for (const Told* told : {&first, &second}) {
    EXPECT_EQ(told->ids, without.ids);
    EXPECT_EQ(told->logprobs, without.logprobs);
  }
  // A page in the middle is damaged: what comes before it is used.
  int n_damaged = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (n_damaged++ == 5) fs::resize_file(entry.path(), 1000);
  }
  EXPECT_GE(n_damaged, 10);
  const Told third = answer(true);
  EXPECT_LT(third.finish->cache.n_cached, 640);
  EXPECT_EQ(third.logprobs, without.logprobs);
  EXPECT_EQ(warnings_.size(), 1u);
  EXPECT_EQ(answer(true).finish->cache.n_cached, 640);
}

}  // namespace
}  // namespace glint
