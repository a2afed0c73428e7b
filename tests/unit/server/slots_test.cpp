// SPDX-License-Identifier: Apache-2.0
//
// Slots: which number an answer gets, and what comes of saving, restoring and erasing the text behind one, also in
// another server, with another model, and with files that are not what they should be.
#include "server/slots.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Ids = std::vector<int32_t>;

TEST(SlotNumbers, GoToTheAnswerThatGoesOnWithTheirText) {
  Slots slots(3);
  EXPECT_EQ(slots.take(Ids{1, 2, 3}, -1), 0);
  EXPECT_EQ(slots.take(Ids{9, 9}, -1), 1);
  slots.give_back(0, {1, 2, 3, 4});
  slots.give_back(1, {9, 9, 8});
  EXPECT_EQ(slots.take(Ids{5, 6}, -1), 2);  // nobody's text: the number that was never used
  EXPECT_EQ(slots.take(Ids{1, 2, 7}, -1), 0);
  EXPECT_EQ(slots.take(Ids{1, 2, 7}, -1), 1);  // the only one left
  EXPECT_EQ(slots.take(Ids{1, 2, 7}, -1), -1);
  slots.give_back(2, {5, 6});
  slots.give_back(1, {7});
  slots.give_back(0, {8});
  EXPECT_EQ(slots.take(Ids{4}, -1), 2);  // used longest ago
}

TEST(SlotNumbers, CanBeAskedForWhereFree) {
  Slots slots(2);
  EXPECT_EQ(slots.take(Ids{1}, 1), 1);
  EXPECT_EQ(slots.take(Ids{1}, 1), 0);
  slots.give_back(1, {1, 2});
  EXPECT_EQ(slots.text(1), (Ids{1, 2}));
  EXPECT_EQ(slots.n_tokens(1), 2);
  EXPECT_FALSE(slots.is_taken(1));
  EXPECT_TRUE(slots.is_taken(0));
  EXPECT_EQ(slots.take(Ids{1}, 7), 1);  // there is no such number
}

class SlotFilesTest : public testing::Test {
 protected:
  SlotFilesTest() { fs::remove_all(folder_); }
  ~SlotFilesTest() override { fs::remove_all(folder_); }

  ServiceSetup setup() const {
    ServiceSetup setup;
    setup.batch.check_invariants = true;
    setup.batch.store = {.folder = folder_, .most_bytes = 1 << 30, .warn = {}};
    return setup;
  }
  std::shared_ptr<Service> open() const { return make_service(setup()); }
  static HttpRequest act(const std::string& slot, const std::string& action, const Json& body) {
    HttpRequest request = post("/slots/" + slot, body);
    request.query = "action=" + action;
    return request;
  }
  static Json name(const std::string& file) { return {{"filename", file}}; }
  /// 150 ids, that is two pages and a part.
  static Json completion(int first = 0) {
    Json ids = Json::array();
    for (int i = 0; i < 150; ++i) ids.push_back((first + i * i) % 8000);
    return {{"prompt", std::move(ids)},
            {"n_predict", 10},
            {"ignore_eos", true},
            {"temperature", 0},
            {"return_tokens", true}};
  }
  /// The end of the text first, as that is the first to make room.
  std::vector<fs::path> pages_on_disk() const {
    std::vector<fs::path> pages;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().extension() == ".glintpage") pages.push_back(entry.path());
    }
    std::ranges::sort(pages, {}, [](const fs::path& page) { return fs::last_write_time(page); });
    return pages;
  }
  std::string path(const std::string& file) const { return folder_ + "/" + file; }

  std::string folder_ = fmt::format("{}glint_slots_{}_{}", testing::TempDir(), getpid(),
                                    testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(SlotFilesTest, ASavedTextIsCachedInTheNextServer) {
  Json first;
  {
    const std::shared_ptr<Service> service = open();
    first = ask_json(*service, post("/completion", completion()));
    EXPECT_EQ(first["id_slot"], 0);
    EXPECT_EQ(ask_json(*service, get("/slots"))[0]["n_tokens"], 160);
    const Json saved = ask_json(*service, act("0", "save", name("a chat.bin")));
    EXPECT_EQ(saved["id_slot"], 0);
    EXPECT_EQ(saved["filename"], "a chat.bin");
    EXPECT_EQ(saved["n_saved"], 160);
    EXPECT_GT(saved["n_written"], 160 * 4);
    EXPECT_GE(saved["timings"]["save_ms"], 0.0);
  }
  const std::shared_ptr<Service> service = open();
  const Json restored = ask_json(*service, act("3", "restore", name("a chat.bin")));
  EXPECT_EQ(restored["id_slot"], 3);
  EXPECT_EQ(restored["n_restored"], 160);
  EXPECT_GT(restored["n_read"], 160 * 4);
  EXPECT_GE(restored["timings"]["restore_ms"], 0.0);
  EXPECT_EQ(ask_json(*service, get("/slots"))[3]["n_tokens"], 160);
  const Json second = ask_json(*service, post("/completion", completion()));
  EXPECT_EQ(second["id_slot"], 3);  // goes on with that text
  EXPECT_EQ(second["timings"]["cache_n"], 149);
  EXPECT_EQ(second["tokens"], first["tokens"]);
}

TEST_F(SlotFilesTest, ErasingGivesPagesBack) {
  const std::shared_ptr<Service> service = make_service();
  ask_json(*service, post("/completion", completion()));
  EXPECT_EQ(ask_json(*service, act("0", "erase", Json::object()))["n_erased"], 159);  // the last id was never computed
  EXPECT_EQ(ask_json(*service, act("0", "erase", Json::object()))["n_erased"], 0);
  const Json again = ask_json(*service, post("/completion", completion()));
  EXPECT_EQ(again["timings"]["cache_n"], 0);
}

TEST_F(SlotFilesTest, ErasingLeavesWhatOthersNeed) {
  const std::shared_ptr<Service> service = open();
  Json body = completion();
  body["id_slot"] = 1;
  EXPECT_EQ(ask_json(*service, post("/completion", body))["id_slot"], 1);
  body["prompt"][100] = 17;  // shares its first page alone
  body["id_slot"] = 2;
  EXPECT_EQ(ask_json(*service, post("/completion", body))["id_slot"], 2);
  EXPECT_EQ(ask_json(*service, act("1", "erase", Json::object()))["n_erased"], 159 - 64);
  EXPECT_EQ(ask_json(*service, get("/slots"))[1]["n_tokens"], 0);
  EXPECT_EQ(ask_json(*service, post("/completion", body))["timings"]["cache_n"], 149);
}

TEST_F(SlotFilesTest, WhatIsNoLongerOnDiskIsNotRestored) {
  {
    const std::shared_ptr<Service> service = open();
    ask_json(*service, post("/completion", completion()));
    ask_json(*service, act("0", "save", name("x")));
  }
  const std::vector<fs::path> pages = pages_on_disk();
  ASSERT_EQ(pages.size(), 2u);
  const std::shared_ptr<Service> service = open();
  fs::resize_file(pages.front(), 1000);
  const Json part = ask_json(*service, act("0", "restore", name("x")));
  EXPECT_EQ(part["n_restored"], 64);
  EXPECT_THAT(part["warnings"].dump(), HasSubstr("the first 64 of 160"));
  EXPECT_EQ(ask_json(*service, get("/slots"))[0]["n_tokens"], 64);
  const std::shared_ptr<Service> other = open();
  for (const fs::path& page : pages) fs::resize_file(page, 1000);
  EXPECT_THAT(error_of(*other, act("0", "restore", name("x")), 503), HasSubstr("no longer on disk"));
  EXPECT_EQ(ask_json(*other, get("/slots"))[0]["n_tokens"], 0);
}

TEST_F(SlotFilesTest, SavingComputesWhatTheCacheHasLost) {
  const std::shared_ptr<Service> service = open();
  Json body = completion();
  body["id_slot"] = 0;
  ask_json(*service, post("/completion", body));
  service->batch().flush_store();
  const fs::path last_page = pages_on_disk().front();
  for (const int first : {1, 2}) {  // they fill the cache, and what was in it goes
    body = completion(first);
    body["id_slot"] = first;
    body["n_predict"] = 340;
    ask_json(*service, post("/completion", body));
  }
  fs::resize_file(last_page, 0);
  EXPECT_EQ(ask_json(*service, act("0", "save", name("x")))["n_saved"], 160);
  EXPECT_EQ(ask_json(*open(), act("0", "restore", name("x")))["n_restored"], 160);
}

TEST_F(SlotFilesTest, AStoreThatIsTooSmall) {
  ServiceSetup small = setup();
  small.batch.store.most_bytes = 1000;  // less than a page
  const std::shared_ptr<Service> service = make_service(small);
  ask_json(*service, post("/completion", completion()));
  EXPECT_THAT(error_of(*service, act("0", "save", name("x")), 503), HasSubstr("--prefix-store-mib"));
  EXPECT_FALSE(fs::exists(path("x")));
  const std::shared_ptr<Service> gone = open();
  Json body = completion();
  body["prompt"] = "Once upon a time";  // no whole page
  body["n_predict"] = 3;
  ask_json(*gone, post("/completion", body));
  fs::remove_all(folder_);
  EXPECT_THAT(error_of(*gone, act("0", "save", name("x")), 500), HasSubstr("cannot be written"));
}

TEST_F(SlotFilesTest, ATextThatFilledTheContext) {
  const std::shared_ptr<Service> service = open();
  Json body = completion();
  body["n_predict"] = -1;
  ask_json(*service, post("/completion", body));
  EXPECT_EQ(ask_json(*service, get("/slots"))[0]["n_tokens"], 513);
  EXPECT_EQ(ask_json(*service, act("0", "save", name("x")))["n_saved"], 512);
  EXPECT_EQ(ask_json(*service, act("1", "restore", name("x")))["n_restored"], 512);
}

TEST_F(SlotFilesTest, FilesThatAreNotWhatTheyShouldBe) {
  const std::shared_ptr<Service> service = open();
  ask_json(*service, post("/completion", completion()));
  ask_json(*service, act("0", "save", name("x")));
  const auto restore = [&](const std::string& file) { return error_of(*service, act("0", "restore", name(file))); };
  EXPECT_THAT(restore("absent"), HasSubstr("no such slot file"));
  std::ofstream(path("foreign")) << "GGUF and more";
  EXPECT_THAT(restore("foreign"), HasSubstr("no slot file"));
  EXPECT_THAT(error_of(*service, act("0", "save", name("foreign"))), HasSubstr("not replaced"));
  fs::create_directory(path("folder"));
  EXPECT_THAT(restore("folder"), HasSubstr("no slot file"));
  EXPECT_THAT(error_of(*service, act("0", "save", name("folder"))), HasSubstr("not replaced"));
  for (const size_t size : {size_t{8}, size_t{47}, size_t{48}, size_t{100}, size_t{48 + 4 * 160 + 31}}) {
    fs::copy_file(path("x"), path("torn"), fs::copy_options::overwrite_existing);
    fs::resize_file(path("torn"), size);
    EXPECT_THAT(restore("torn"), HasSubstr("torn")) << size;
  }
  for (const int at : {10, 44, 50, 48 + 4 * 160 + 3}) {
    fs::copy_file(path("x"), path("bad"), fs::copy_options::overwrite_existing);
    std::fstream file(path("bad"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(at);
    file.put(byte);
    file.close();
    EXPECT_THAT(restore("bad"), testing::AnyOf(HasSubstr("damaged"), HasSubstr("torn"))) << at;
  }
  ask_json(*service, act("0", "save", name("x")));  // its own kind is replaced
}

TEST_F(SlotFilesTest, AnotherModelsFile) {
  const std::shared_ptr<Service> service = open();
  ask_json(*service, post("/completion", completion()));
  ask_json(*service, act("0", "save", name("x")));
  EngineOptions options;
  options.n_threads = 2;
  options.n_ctx = 512;
  options.n_sequences = 2;
  options.k_dtype = DType::kF32;
  Engine engine =
      Engine::open(gguf::File::open(std::string(GLINT_TEST_DATA) + "/../../models/glint-demo.gguf"), options);
  Service other(std::move(engine), setup().batch, std::nullopt, ServiceOptions());
  EXPECT_THAT(error_of(other, act("0", "restore", name("x"))), HasSubstr("another model"));
}

TEST_F(SlotFilesTest, NamesStayInTheFolder) {
  const std::shared_ptr<Service> service = open();
  ask_json(*service, post("/completion", completion()));
  const std::vector<std::string> names = {"",
                                          ".",
                                          "..",
                                          "../x",
                                          "/etc/x",
                                          "a/b",
                                          "a\\b",
                                          "c:x",
                                          ".hidden",
                                          "a\nb",
                                          std::string(201, 'a'),
                                          "x.glintpage",
                                          "x.partial",
                                          std::string("a\0b", 3)};
  for (const std::string& bad : names) {
    for (const char* action : {"save", "restore"}) {
      EXPECT_THAT(error_of(*service, act("0", action, name(bad))), HasSubstr("plain file name")) << bad;
    }
  }
  EXPECT_THAT(error_of(*service, act("0", "save", Json::object())), HasSubstr("filename"));
}

TEST_F(SlotFilesTest, WhatCannotBeAsked) {
  const std::shared_ptr<Service> service = open();
  EXPECT_THAT(error_of(*service, act("0", "save", name("x"))), HasSubstr("worked on nothing"));
  for (const char* slot : {"4", "-1", "x", "1x", "99999999999999"}) {
    EXPECT_THAT(error_of(*service, act(slot, "erase", Json::object())), HasSubstr("from 0 to 3")) << slot;
  }
  EXPECT_THAT(error_of(*service, act("0", "melt", Json::object())), HasSubstr("action"));
  EXPECT_THAT(error_of(*service, post("/slots/0", Json::object())), HasSubstr("action"));
  {
    const Endpoints router(*service);
    Json body = completion();
    body["stream"] = true;
    body["n_predict"] = 300;
    const Reply reply = router.handle(post("/completion", body));
    EXPECT_THAT(error_of(*service, act("0", "save", name("x")), 503), HasSubstr("at work"));
  }
  EXPECT_THAT(error_of(demo(), act("0", "save", name("x")), 501), HasSubstr("--slot-save-path"));
  ServiceSetup setup;
  setup.service.show_slots = false;
  const std::shared_ptr<Service> closed = make_service(setup);
  EXPECT_EQ(ask(*closed, act("0", "erase", Json::object())).status, 501);
}

}  // namespace
}  // namespace glint::server
