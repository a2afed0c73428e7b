// SPDX-License-Identifier: Apache-2.0
//
// Text of PDFs through the endpoint, and the bounds around the program that reads them: stand-ins that hang, write
// without end, fail or are missing take pdftotext's place.
#include "server/pdf_text.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "server/child_program.h"
#include "tests/unit/server/server_fixture.h"

namespace glint::server {
namespace {

using testing::HasSubstr;

/// One page that says "Hello PDF".
const std::string kPdf =
    "%PDF-1.4\n"
    "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj\n"
    "4 0 obj<</Length 44>>stream\nBT /F1 24 Tf 50 100 Td (Hello PDF) Tj ET    \nendstream endobj\n"
    "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
    "trailer<</Root 1 0 R>>\n%%EOF\n";

/// A shell script for the length of a test.
class Script {
 public:
  explicit Script(const std::string& body) {
    char name[] = "/tmp/glint-script-XXXXXX";
    close(mkstemp(name));
    path_ = name;
    std::ofstream(path_) << "#!/bin/sh\n" << body << "\n";
    chmod(path_.c_str(), 0700);
  }
  ~Script() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

HttpRequest pdf_request(const std::string& body) {
  HttpRequest request{.method = "POST", .path = "/web/pdf-text", .query = ""};
  request.body = body;
  request.headers["content-type"] = "application/pdf";
  return request;
}

HttpResponse convert(const PdfTextOptions& options, HttpRequest request) {
  Router router;
  add_pdf_endpoint(router, options);
  return read_all(router.handle(std::move(request)));
}

TEST(PdfText, IsRead) {
  const HttpResponse response = convert({}, pdf_request(kPdf));
  if (response.status == 501) GTEST_SKIP() << "no pdftotext here";
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_THAT(Json::parse(response.body).at("text").get<std::string>(), HasSubstr("Hello PDF"));
  EXPECT_EQ(convert({}, pdf_request("%PDF-1.4 nonsense")).status, 400);
}

TEST(PdfText, RefusesWhatIsNoPdf) {
  HttpRequest form = pdf_request(kPdf);
  form.headers["content-type"] = "text/plain";  // what any page may send
  EXPECT_EQ(convert({}, std::move(form)).status, 415);
  EXPECT_EQ(convert({}, pdf_request("hello")).status, 400);
  EXPECT_EQ(convert({.most_pdf_bytes = 10}, pdf_request(kPdf)).status, 413);
}

TEST(PdfText, SaysWhatIsMissing) {
  const HttpResponse response = convert({.program = "glint-has-no-such-program"}, pdf_request(kPdf));
  EXPECT_EQ(response.status, 501);
  EXPECT_THAT(response.body, HasSubstr("poppler-utils"));
}

TEST(PdfText, ProgramsAreBounded) {
  const Script hangs("sleep 100 & wait");
  const auto begun = std::chrono::steady_clock::now();
  const HttpResponse late = convert({.program = hangs.path(), .most_seconds = 1}, pdf_request(kPdf));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
  EXPECT_EQ(late.status, 400);
  EXPECT_THAT(late.body, HasSubstr("longer than 1 s"));
  const Script writes("while :; do echo 0123456789012345678901234567890123456789; done");
  const HttpResponse much = convert({.program = writes.path(), .most_text_bytes = 1 << 20}, pdf_request(kPdf));
  EXPECT_EQ(much.status, 400);
  EXPECT_THAT(much.body, HasSubstr("more than 1 MiB"));
  const Script fails("exit 3");
  EXPECT_EQ(convert({.program = fails.path()}, pdf_request(kPdf)).status, 400);
  const Script dies("kill -SEGV $$");
  EXPECT_EQ(convert({.program = dies.path()}, pdf_request(kPdf)).status, 400);
}

TEST(PdfText, OnlySoManyAtOnceAndLeavingEndsThem) {
  const Script hangs("sleep 100");
  Router router;
  add_pdf_endpoint(router, {.program = hangs.path(), .most_at_once = 1});
  {
    const Reply first = router.handle(pdf_request(kPdf));
    ASSERT_NE(first.rest, nullptr);
    EXPECT_EQ(router.handle(pdf_request(kPdf)).response.status, 503);
  }  // the client is gone: this does not wait for the program
  EXPECT_NE(router.handle(pdf_request(kPdf)).rest, nullptr);
}

TEST(ChildProgram, GetsItsInputAndNothingElse) {
  const std::atomic<bool> cancelled = false;
  const ChildResult echo = run_child({"cat"}, std::string(300'000, 'x'), {}, cancelled);
  EXPECT_EQ(echo.end, ChildResult::End::kExit);
  EXPECT_EQ(echo.output, std::string(300'000, 'x'));
  const ChildResult environment = run_child({"env"}, "", {}, cancelled);
  EXPECT_EQ(environment.output, "LC_ALL=C.UTF-8\n");
  const ChildResult files = run_child({"ls", "/proc/self/fd"}, "", {}, cancelled);
  EXPECT_EQ(files.output, "0\n1\n2\n3\n");  // 3: ls reading the folder
  const ChildResult status = run_child({"sh", "-c", "exit 7; $(no shell here)"}, "", {}, cancelled);
  EXPECT_EQ(status.status, 7);
}

}  // namespace
}  // namespace glint::server
