// SPDX-License-Identifier: Apache-2.0
#include "server/pdf_text.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "base/utf8.h"
#include "server/child_program.h"

namespace glint::server {
namespace {

/// How many run now; shared by an endpoint and its jobs.
using Running = std::shared_ptr<std::atomic<int>>;

std::string text_of(const PdfTextOptions& options, const std::string& pdf, const std::atomic<bool>& cancelled) {
  using End = ChildResult::End;
  // "-": from stdin, to stdout.
  const ChildResult result = run_child({options.program, "-q", "-enc", "UTF-8", "-nopgbrk", "-", "-"}, pdf,
                                       {.seconds = options.most_seconds,
                                        .memory_bytes = options.most_memory_bytes,
                                        .output_bytes = options.most_text_bytes},
                                       cancelled);
  switch (result.end) {
    case End::kNotFound:
      throw ApiError::disabled("the server has no pdftotext; install poppler-utils there, or paste the text");
    case End::kTimeout:
      throw ApiError::invalid(
          fmt::format("reading this PDF took longer than {} s; give fewer pages", options.most_seconds));
    case End::kTooMuchOutput:
      throw ApiError::invalid(
          fmt::format("this PDF has more than {} MiB of text; give fewer pages", options.most_text_bytes >> 20));
    case End::kCancelled:
      throw ApiError::unavailable("the server is stopping");
    case End::kKilled:
      throw ApiError::invalid("this PDF cannot be read: pdftotext ended on it");
    case End::kExit:
      break;
  }
  if (result.status != 0) throw ApiError::invalid("this PDF cannot be read: it is broken or locked with a password");
  return utf8::repair(result.output);
}

/// One conversion, in a thread of its own: those of the server only move bytes.
class PdfJob final : public Continuation {
 public:
  PdfJob(const PdfTextOptions& options, std::string path, std::string pdf, Running running)
      : running_(std::move(running)), thread_([this, options, path = std::move(path), pdf = std::move(pdf)] {
          HttpResponse response;
          try {
            response = json_reply({{"text", text_of(options, pdf, cancelled_)}}).response;
          } catch (const ApiError& error) {
            response = error_reply(path, error).response;
          } catch (const std::exception& error) {
            response = error_reply(path, ApiError::internal(error.what())).response;
          }
          finish(std::move(response));
        }) {}
  ~PdfJob() override {
    cancelled_ = true;
    thread_.join();
    --*running_;
  }

  bool is_stream() const override { return false; }
  void cancel() override { cancelled_ = true; }
  bool pull(HttpResponse& response) override {
    const std::lock_guard lock(mutex_);
    if (done_) response = std::move(response_);
    return done_;
  }
  void when_ready(std::function<void()> wake) override {
    {
      const std::lock_guard lock(mutex_);
      if (!done_) {
        wake_ = std::move(wake);
        return;
      }
    }
    wake();
  }

 private:
  void finish(HttpResponse response) {
    std::function<void()> wake;
    {
      const std::lock_guard lock(mutex_);
      response_ = std::move(response);
      done_ = true;
      wake = std::move(wake_);
    }
    if (wake) wake();
  }

  Running running_;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  bool done_ = false;
  HttpResponse response_;
  std::function<void()> wake_;
  std::thread thread_;  // last: uses all others
};

Reply begin(const PdfTextOptions& options, const Running& running, const HttpRequest& request) {
  // Also keeps other pages out: a browser asks before it sends this type across origins.
  if (request.header("content-type") != "application/pdf") {
    throw ApiError(415, "invalid_request_error", "the body must be a PDF, sent as application/pdf");
  }
  if (request.body.size() > options.most_pdf_bytes) {
    throw ApiError(413, "invalid_request_error",
                   fmt::format("the PDF is larger than {} MiB", options.most_pdf_bytes >> 20));
  }
  if (!request.body.starts_with("%PDF-")) throw ApiError::invalid("this is no PDF: it does not begin with %PDF-");
  if (++*running > options.most_at_once) {
    --*running;
    throw ApiError::unavailable("the server reads other PDFs; try again in a moment");
  }
  return {.response = {}, .rest = std::make_unique<PdfJob>(options, request.path, request.body, running)};
}

}  // namespace

void add_pdf_endpoint(Router& router, const PdfTextOptions& options) {
  auto running = std::make_shared<std::atomic<int>>(0);
  router.add("POST", "/web/pdf-text",
             [options, running](const HttpRequest& request) { return begin(options, running, request); });
}

}  // namespace glint::server
