// SPDX-License-Identifier: Apache-2.0
//
// What --kl-divergence-base writes reads back within what 16 bits keep; nothing is left of a file that was not
// finished; and whatever is wrong with a file is said. The corpus of tests/fuzz runs here too. To write its seeds anew:
// test_engine --gtest_also_run_disabled_tests --gtest_filter=*LogitsFile*WriteSeeds
#include "engine/logits_file.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/check.h"
#include "tests/fuzz/logits_file_fuzz.cpp"

namespace glint {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const fs::path kCorpus = fs::path(GLINT_TEST_DATA) / ".." / "fuzz" / "corpus" / "logits_file";

class LogitsFileTest : public testing::Test {
 protected:
  LogitsFileTest() {
    fs::remove_all(folder_);
    fs::create_directory(folder_);
  }
  ~LogitsFileTest() override { fs::remove_all(folder_); }

  std::vector<std::vector<float>> logits_of(int n_rows) const {
    std::vector<std::vector<float>> rows;
    for (int i = 0; i < n_rows; ++i) {
      std::vector<float>& row = rows.emplace_back(static_cast<size_t>(shape_.n_vocab));
      for (size_t id = 0; id < row.size(); ++id) row[id] = 9 * std::sin(static_cast<float>(i * 31 + id * 7));
    }
    return rows;
  }
  void add(LogitsFileWriter& writer, const std::vector<float>& logits) const {
    std::vector<uint16_t> row(static_cast<size_t>(shape_.row_codes()));
    encode_row(softmax_of(logits), row);
    writer.add(row);
  }
  void write(const std::vector<std::vector<float>>& rows) const {
    LogitsFileWriter writer(path_, shape_, tokens_);
    for (const std::vector<float>& row : rows) add(writer, row);
    writer.finish();
  }
  std::string bytes() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string refusal(const std::string& bytes) {
    try {
      LogitsFile::parse(std::as_bytes(std::span(bytes)), "stored.kld");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  std::ptrdiff_t n_files() const { return std::distance(fs::directory_iterator(folder_), fs::directory_iterator()); }

  std::string folder_ = testing::TempDir() + "glint_logits_file_" + std::to_string(getpid());
  std::string path_ = folder_ + "/x.kld";
  LogitsFileShape shape_{5, 7, 2};  // an odd vocabulary: rows are padded; two positions of each chunk are scored
  std::vector<int32_t> tokens_ = {0, 1, 2, 3, 4, 5, 6, 0, 1, 2};
};

TEST_F(LogitsFileTest, ReadsBackWhatWasWritten) {
  const auto rows = logits_of(4);
  write(rows);
  EXPECT_EQ(bytes().size(), 20 + 2 * (5 * 4 + 2 * (4 + 8) * 2));
  const LogitsFile file = LogitsFile::open(path_);
  EXPECT_EQ(file.shape().n_scored(), 2);
  EXPECT_EQ(file.tokens(), tokens_);
  std::vector<float> values(7);
  for (int i = 0; i < 4; ++i) {
    const std::vector<float>& logits = rows[static_cast<size_t>(i)];
    const Distribution exact = softmax_of(logits), stored = file.row(i / 2, i % 2, values);
    EXPECT_EQ(stored.top, exact.top);
    for (int id = 0; id < 7; ++id) {
      if (exact.log_p(id) > exact.log_p(exact.top) - 16) {
        // Half a step of 16 / 65535, and roundings of f32 numbers up to 32.
        EXPECT_NEAR(stored.log_p(id), exact.log_p(id), 8.0 / 65535 + 32 * 6e-8 * 3) << i << " " << id;
      } else {
        EXPECT_NEAR(stored.log_p(id), exact.log_p(exact.top) - 16, 1e-5) << i << " " << id;
      }
    }
  }
}

TEST_F(LogitsFileTest, RowsOfEqualsAndOfImpossibleIds) {
  const float never = -std::numeric_limits<float>::infinity();
  write(
      {{3, 3, 3, 3, 3, 3, 3}, {never, 0, never, 0, 0, 0, never}, {0, 100, 0, 0, 0, 0, 0}, {-1e30f, 1, 1, 1, 1, 1, 1}});
  const LogitsFile file = LogitsFile::open(path_);
  std::vector<float> values(7);
  EXPECT_NEAR(file.row(0, 0, values).log_p(6), -std::log(7.0), 1e-6);
  EXPECT_NEAR(file.row(0, 1, values).log_p(3), -std::log(4.0), 1e-5);
  EXPECT_LE(file.row(0, 1, values).log_p(0), -16);
  EXPECT_NEAR(file.row(1, 0, values).log_p(1), 0, 1e-5);
  EXPECT_EQ(file.row(1, 0, values).top, 1);
  EXPECT_NEAR(file.row(1, 1, values).log_p(1), -std::log(6.0), 1e-5);
}

TEST_F(LogitsFileTest, NothingIsLeftOfWhatWasNotFinished) {
  {
    LogitsFileWriter writer(path_, shape_, tokens_);
    add(writer, logits_of(1)[0]);
    EXPECT_EQ(n_files(), 1);
    EXPECT_FALSE(fs::exists(path_));
  }
  EXPECT_EQ(n_files(), 0);
  write(logits_of(4));
  const std::string whole = bytes();
  { LogitsFileWriter writer(path_, shape_, tokens_); }
  EXPECT_EQ(bytes(), whole);
  EXPECT_EQ(n_files(), 1);
}

TEST_F(LogitsFileTest, ReplacesNothingElse) {
  std::ofstream(path_) << "the text that was meant to be read";
  EXPECT_THROW(LogitsFileWriter(path_, shape_, tokens_), Error);
  EXPECT_EQ(bytes(), "the text that was meant to be read");
  EXPECT_THROW(LogitsFileWriter("/dev/null", shape_, tokens_), Error);
  EXPECT_THROW(LogitsFileWriter(folder_ + "/absent/x", shape_, tokens_), Error);
}

TEST_F(LogitsFileTest, SaysWhenTheDiskHasNoRoom) {
  const LogitsFileShape huge{1 << 15, std::numeric_limits<int32_t>::max() - 1, 1 << 4};  // 10^15 bytes
  const std::vector<int32_t> tokens(size_t{1} << 19);
  try {
    LogitsFileWriter writer(path_, huge, tokens);
    FAIL() << "no disk has so much";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("MiB are free"));
  }
  EXPECT_EQ(n_files(), 0);
}

TEST_F(LogitsFileTest, RefusesWhatIsTorn) {
  write(logits_of(4));
  const std::string whole = bytes();
  ASSERT_EQ(refusal(whole), "");
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_THAT(refusal(whole.substr(0, size)), HasSubstr("stored.kld"));
  EXPECT_THAT(refusal(whole + '\0'), HasSubstr("torn"));
  EXPECT_THAT(refusal("GGUF" + whole.substr(4)), HasSubstr("_logits_"));
}

TEST_F(LogitsFileTest, RefusesCountsThatTheBytesContradict) {
  write(logits_of(4));
  for (int32_t count : {-1, 0, 1, 2, 3, 4, 6, 8, 1 << 16, 1 << 30, std::numeric_limits<int32_t>::max(),
                        std::numeric_limits<int32_t>::min()}) {
    for (size_t at : {8, 12, 16}) {
      std::string changed = bytes();
      if (std::memcmp(changed.data() + at, &count, 4) == 0) continue;  // what is there
      std::memcpy(changed.data() + at, &count, 4);
      // An even vocabulary of one more has rows of the same length: no count is wrong.
      if (at == 12 && count == 8) continue;
      EXPECT_NE(refusal(changed), "") << count << " at " << at;
    }
  }
}

TEST_F(LogitsFileTest, RefusesTokensOutsideTheVocabulary) {
  write(logits_of(4));
  for (int32_t id : {-1, 7, std::numeric_limits<int32_t>::max()}) {
    std::string changed = bytes();
    std::memcpy(changed.data() + 20 + 9 * 4, &id, 4);
    EXPECT_THAT(refusal(changed), HasSubstr("token 9"));
  }
}

TEST_F(LogitsFileTest, RefusesRowsThatAreNoProbabilities) {
  write(logits_of(4));
  const size_t last_row = bytes().size() - (4 + 8) * 2;
  const float bad[][2] = {{NAN, -20},         {-1e-4f, -1}, {INFINITY, -20}, {1e-4f, NAN},
                          {1e-4f, -INFINITY}, {1, -20},     {0, 0.5f}};
  for (const auto& row : bad) {
    std::string changed = bytes();
    std::memcpy(changed.data() + last_row, row, sizeof(row));
    const LogitsFile file = LogitsFile::parse(std::as_bytes(std::span(changed)), "stored.kld");
    std::vector<float> values(7);
    file.row(1, 0, values);
    try {
      file.row(1, 1, values);
      ADD_FAILURE() << row[0] << " " << row[1];
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("position 1 of chunk 1"));
    }
  }
}

TEST(LogitsFileCorpusTest, EveryFile) {
  int n_files = 0;
  for (const auto& entry : fs::directory_iterator(kCorpus)) {
    const FileMap map = FileMap::open(entry.path());
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(map.bytes().data()), map.bytes().size());
    ++n_files;
  }
  EXPECT_GE(n_files, 3);
}

TEST_F(LogitsFileTest, DISABLED_WriteSeeds) {
  fs::create_directories(kCorpus);
  write(logits_of(4));
  const std::string whole = bytes();
  const auto save = [&](const char* name, std::string text) {
    std::ofstream(kCorpus / name, std::ios::binary) << text;
  };
  save("whole", whole);
  save("torn", whole.substr(0, whole.size() - 3));
  std::string changed = whole;
  changed[20 + 4] = 99;  // the second token
  save("token", changed);
  changed = whole;
  changed[whole.size() - 24 + 3] = '\x7f';  // the last row's step
  save("row", changed);
}

}  // namespace
}  // namespace glint
