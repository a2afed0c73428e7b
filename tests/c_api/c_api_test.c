/* SPDX-License-Identifier: Apache-2.0
 *
 * The C API as a C99 program sees it, over libglint.so: streams an answer, cancels another, makes every mistake that has a
 * status of its own, and speaks as clients older and newer than the library do. Run by ctest as c_api_test DEMO_MODEL. */
#include <glint/glint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int n_failed = 0;
#define CHECK(condition)                                                                     \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      printf("%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition, glint_last_error()); \
      ++n_failed;                                                                            \
    }                                                                                        \
  } while (0)
/* The call fails with this status, and the message names what was wrong. */
#define CHECK_FAILS(call, expected, word)                                                          \
  do {                                                                                             \
    const glint_status status_ = (call);                                                           \
    if (status_ != (expected) || strstr(glint_last_error(), word) == NULL) {                       \
      printf("%s:%d: %s is %d with \"%s\"\n", __FILE__, __LINE__, #call, (int)status_, glint_last_error()); \
      ++n_failed;                                                                                  \
    }                                                                                              \
  } while (0)

typedef struct answer {
  char text[4096];
  size_t length;
  int n_events, n_tokens, n_finished;
  int32_t reason;
  int32_t n_cached, n_prompt;
  int stop_after; /* events; 0: never */
} answer;

static int32_t take(void* user_data, const glint_event* event) {
  answer* into = user_data;
  CHECK(event->size >= sizeof *event);
  CHECK(strlen(event->text) == event->text_size);
  if (into->length + event->text_size < sizeof into->text) {
    memcpy(into->text + into->length, event->text, event->text_size + 1);
    into->length += event->text_size;
  }
  ++into->n_events;
  if (event->id >= 0) ++into->n_tokens;
  if (event->finish != NULL) {
    ++into->n_finished;
    into->reason = event->finish->reason;
    into->n_cached = event->finish->n_cached;
    into->n_prompt = event->finish->n_prompt;
    CHECK(event->finish->n_predicted <= into->n_tokens);
  }
  return into->stop_after > 0 && into->n_events >= into->stop_after;
}

static answer ask(glint_engine* engine, const glint_request* request) {
  answer told;
  glint_stream* stream = NULL;
  memset(&told, 0, sizeof told);
  CHECK(glint_submit(engine, request, &stream) == GLINT_OK);
  CHECK(glint_stream_for_each(stream, take, &told) == GLINT_OK);
  glint_stream_free(stream);
  return told;
}

static glint_request greedy(const char* prompt, int32_t n_predict) {
  static const glint_setting kSettings[] = {{"temperature", 0}};
  glint_request request;
  memset(&request, 0, sizeof request);
  request.size = sizeof request;
  request.prompt = prompt;
  request.n_predict = n_predict;
  request.settings = kSettings;
  request.n_settings = 1;
  return request;
}

static int32_t count_progress(void* user_data, int64_t done, int64_t total) {
  int* n_calls = user_data;
  ++*n_calls;
  return done > total;
}
static int32_t give_up(void* user_data, int64_t done, int64_t total) {
  (void)user_data, (void)done, (void)total;
  return 1;
}

static void test_opening(const char* model) {
  glint_engine* engine = (glint_engine*)&n_failed;
  glint_engine_options options;
  memset(&options, 0, sizeof options);
  CHECK_FAILS(glint_engine_open(NULL, &engine), GLINT_ERROR_INVALID, "NULL");
  CHECK(engine == NULL);
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_INVALID, "size");
  options.size = sizeof options;
  CHECK_FAILS(glint_engine_open(&options, NULL), GLINT_ERROR_INVALID, "NULL");
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_INVALID, "model");
  options.model = "no such file.gguf";
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_MODEL, "no such file");
  options.model = __FILE__; /* there, but no model */
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_MODEL, "GGUF");
  options.model = model;
  options.backend = "abacus";
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_MODEL, "abacus");
  options.backend = "cpu";
  options.cache_type_k = "q3";
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_INVALID, "q3");
  options.cache_type_k = NULL;
  options.n_threads = -1;
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_INVALID, "n_threads");
  options.n_threads = 1;
  options.n_ubatch = 4;
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_INVALID, "n_parallel");
  options.n_ubatch = 0;
  options.on_progress = give_up;
  CHECK_FAILS(glint_engine_open(&options, &engine), GLINT_ERROR_ABORTED, "on_progress");
  CHECK(engine == NULL);
}

/* Clients whose structs end earlier or later than the library's. */
static void test_sizes(const char* model, glint_engine* engine) {
  struct {
    glint_request known;
    int64_t later;
  } newer;
  struct older_request { /* ends before n_predict */
    size_t size;
    const char* prompt;
    const glint_chat* chat;
    const int32_t* ids;
    size_t n_ids;
  }* older = calloc(1, sizeof *older); /* on the heap, so that a sanitizer sees who looks behind it */
  glint_stream* stream = NULL;
  glint_engine_options first;
  glint_engine* opened = NULL;
  glint_statistics statistics;

  if (older == NULL) exit(1);
  older->size = sizeof *older;
  older->prompt = "Once upon a time";
  CHECK(glint_submit(engine, (glint_request*)older, &stream) == GLINT_OK);
  glint_stream_free(stream);
  older->size = sizeof(size_t) - 1;
  CHECK_FAILS(glint_submit(engine, (glint_request*)older, &stream), GLINT_ERROR_INVALID, "size");
  CHECK(stream == NULL);
  free(older);

  memset(&first, 0x7f, sizeof first);
  first.size = offsetof(glint_engine_options, backend);
  first.model = model;
  CHECK(glint_engine_open(&first, &opened) == GLINT_OK);
  glint_engine_free(opened);

  /* A newer client's is longer: what this library does not know must be zero. */
  newer.known = greedy("Once upon a time", 4);
  newer.known.size = sizeof newer;
  newer.later = 0;
  CHECK(ask(engine, &newer.known).n_tokens == 4);
  newer.later = 1;
  CHECK_FAILS(glint_submit(engine, &newer.known, &stream), GLINT_ERROR_INVALID, "does not know");

  /* An older client's statistics are filled no further than it knows. */
  memset(&statistics, 0x7f, sizeof statistics);
  statistics.size = offsetof(glint_statistics, n_steps);
  CHECK(glint_engine_get_statistics(engine, &statistics) == GLINT_OK);
  CHECK(statistics.size == offsetof(glint_statistics, n_steps));
  CHECK(statistics.n_pages > 0 && statistics.n_pages < 0x7f7f7f7f);
  CHECK(statistics.n_steps == 0x7f7f7f7f7f7f7f7f);
  statistics.size = sizeof statistics + 800;
  CHECK(glint_engine_get_statistics(engine, &statistics) == GLINT_OK);
  CHECK(statistics.size == sizeof statistics && statistics.n_steps > 0 && statistics.n_steps < 100000);
  statistics.size = 0;
  CHECK_FAILS(glint_engine_get_statistics(engine, &statistics), GLINT_ERROR_INVALID, "size");
  CHECK_FAILS(glint_engine_get_statistics(NULL, NULL), GLINT_ERROR_INVALID, "NULL");
}

static void test_text(const glint_engine* engine) {
  const char* text = "Once upon a time";
  int32_t ids[64];
  char back[64];
  size_t n = 99, n_again = 99;
  CHECK_FAILS(glint_tokenize(engine, text, strlen(text), 0, NULL, 0, &n), GLINT_ERROR_BUFFER, "needed");
  CHECK(n > 1 && n < 17);
  memset(ids, 0x7f, sizeof ids);
  CHECK_FAILS(glint_tokenize(engine, text, strlen(text), 0, ids, n - 1, &n_again), GLINT_ERROR_BUFFER, "needed");
  CHECK(ids[0] == 0x7f7f7f7f);
  CHECK(glint_tokenize(engine, text, strlen(text), 0, ids, n, &n_again) == GLINT_OK);
  CHECK(n_again == n && ids[n] == 0x7f7f7f7f);
  CHECK(glint_detokenize(engine, ids, n, 0, back, sizeof back, &n_again) == GLINT_OK);
  CHECK(n_again == strlen(back) && strstr(back, text) != NULL);
  CHECK_FAILS(glint_detokenize(engine, ids, n, 0, back, n_again, &n_again), GLINT_ERROR_BUFFER, "needed");
  CHECK(glint_tokenize(engine, "", 0, 0, NULL, 0, &n) == GLINT_OK && n == 0);
  CHECK_FAILS(glint_tokenize(engine, NULL, 3, 0, ids, 64, &n), GLINT_ERROR_INVALID, "NULL");
  CHECK_FAILS(glint_tokenize(engine, text, 4, 8, ids, 64, &n), GLINT_ERROR_INVALID, "flags");
  CHECK_FAILS(glint_tokenize(NULL, text, 4, 0, ids, 64, &n), GLINT_ERROR_INVALID, "engine");
  CHECK_FAILS(glint_tokenize(engine, text, 4, 0, ids, 64, NULL), GLINT_ERROR_INVALID, "NULL");
  ids[0] = 1 << 30;
  CHECK_FAILS(glint_detokenize(engine, ids, 1, 0, back, sizeof back, &n), GLINT_ERROR_INVALID, "1073741824");
  CHECK_FAILS(glint_detokenize(engine, NULL, 1, 0, back, sizeof back, &n), GLINT_ERROR_INVALID, "NULL");
}

static void test_chat(glint_engine* engine) {
  glint_chat chat;
  glint_request request = greedy(NULL, 3);
  glint_stream* stream = NULL;
  char text[4096];
  int32_t ids[1024];
  size_t n = 0, n_ids = 0;
  memset(&chat, 0, sizeof chat);
  chat.size = sizeof chat;
  chat.messages = "[{\"role\": \"user\", \"content\": \"Tell me a story\"}]";
  request.chat = &chat;
  if (!glint_engine_get_info(engine)->has_chat_template) {
    CHECK_FAILS(glint_chat_render(engine, &chat, text, sizeof text, &n), GLINT_ERROR_INVALID, "chat template");
    CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "chat template");
    return;
  }
  CHECK(glint_chat_render(engine, &chat, text, sizeof text, &n) == GLINT_OK);
  CHECK(strstr(text, "Tell me a story") != NULL && n == strlen(text));
  CHECK(glint_chat_tokenize(engine, &chat, ids, 1024, &n_ids) == GLINT_OK && n_ids > 4);
  CHECK(ask(engine, &request).n_prompt == (int32_t)n_ids);
  chat.messages = "[{\"role\"";
  CHECK_FAILS(glint_chat_render(engine, &chat, text, sizeof text, &n), GLINT_ERROR_INVALID, "not JSON");
  chat.messages = "[]";
  CHECK_FAILS(glint_chat_tokenize(engine, &chat, ids, 1024, &n), GLINT_ERROR_INVALID, "at least one");
  chat.messages = NULL;
  CHECK_FAILS(glint_chat_render(engine, &chat, text, sizeof text, &n), GLINT_ERROR_INVALID, "messages");
}

static void test_refusals(glint_engine* engine) {
  glint_stream* stream = (glint_stream*)&n_failed;
  const glint_event* event = NULL;
  glint_request request = greedy(NULL, 4);
  glint_setting setting = {"tempo", 1};
  const char* empty = "";
  int32_t id = 1 << 30;
  char long_text[20000];

  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "one of");
  CHECK(stream == NULL);
  request.prompt = "One";
  CHECK_FAILS(glint_submit(NULL, &request, &stream), GLINT_ERROR_INVALID, "engine");
  CHECK_FAILS(glint_submit(engine, NULL, &stream), GLINT_ERROR_INVALID, "NULL");
  CHECK_FAILS(glint_submit(engine, &request, NULL), GLINT_ERROR_INVALID, "NULL");
  request.settings = &setting;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "tempo");
  setting.name = "top_k", setting.value = 1.5;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "whole");
  setting.name = "top_p", setting.value = 7;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "top_p");
  setting.name = NULL;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "unknown");
  request.settings = NULL;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "settings");
  request.n_settings = 0;
  request.samplers = "top_k;luck";
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "luck");
  request.samplers = NULL;
  request.priority = 7;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "priority");
  request.priority = 0;
  request.n_completions = 100000;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "100000");
  request.n_completions = 0;
  request.n_predict = -3;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "n_predict");
  request.n_predict = 4;
  request.stop_strings = &empty, request.n_stop_strings = 1;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "stop_strings");
  request.n_stop_strings = 0;
  request.constraint = "[0-9]";
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "constraint_kind");
  request.constraint_kind = 77;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "constraint_kind");
  request.constraint_kind = GLINT_CONSTRAINT_REGEX, request.constraint = "[0-9";
  CHECK(glint_submit(engine, &request, &stream) == GLINT_ERROR_INVALID);
  request.constraint_kind = GLINT_CONSTRAINT_JSON_SCHEMA, request.constraint = "{\"type\": \"unicorn\"}";
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "unicorn");
  request.constraint_kind = GLINT_CONSTRAINT_GRAMMAR, request.constraint = NULL;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "constraint is NULL");
  request.constraint_kind = GLINT_CONSTRAINT_TOOL_CALLS;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "tool");
  request.constraint_kind = GLINT_CONSTRAINT_NONE;
  request.prompt = NULL, request.ids = &id, request.n_ids = 1;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "1073741824");
  request.n_ids = 0;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_INVALID, "empty");
  request.ids = NULL;
  memset(long_text, 'x', sizeof long_text);
  long_text[sizeof long_text - 1] = '\0';
  request.prompt = long_text;
  CHECK_FAILS(glint_submit(engine, &request, &stream), GLINT_ERROR_CONTEXT_LENGTH, "context");

  CHECK_FAILS(glint_stream_next(NULL, 0, &event), GLINT_ERROR_INVALID, "stream");
  CHECK_FAILS(glint_stream_next(NULL, 0, NULL), GLINT_ERROR_INVALID, "event");
  CHECK_FAILS(glint_stream_for_each(NULL, take, NULL), GLINT_ERROR_INVALID, "stream");
  CHECK_FAILS(glint_stream_when_ready(NULL, NULL, NULL), GLINT_ERROR_INVALID, "stream");
  CHECK_FAILS(glint_stream_cancel(NULL), GLINT_ERROR_INVALID, "stream");
  glint_stream_free(NULL);
  glint_engine_free(NULL);
  CHECK(glint_engine_get_info(NULL) == NULL);
}

static void test_answers(glint_engine* engine) {
  const char* stop = " time";
  answer first, second, bound;
  glint_request request = greedy("Once upon a time", 24);
  glint_stream* stream = NULL;
  const glint_event* event = NULL;
  int n_events = 0, n_waits = 0;
  glint_status status;

  /* The same by callback and by next(), the second from the cache. */
  first = ask(engine, &request);
  CHECK(first.n_tokens == 24 && first.reason == GLINT_FINISH_LIMIT && first.length > 24);
  memset(&second, 0, sizeof second);
  CHECK(glint_submit(engine, &request, &stream) == GLINT_OK);
  while ((status = glint_stream_next(stream, 1, &event)) != GLINT_END) {
    CHECK(status == GLINT_OK || status == GLINT_TIMEOUT);
    if (status == GLINT_OK) take(&second, event), ++n_events;
    if (status == GLINT_TIMEOUT) ++n_waits;
  }
  CHECK(event == NULL && n_events == second.n_events && n_waits >= 0);
  CHECK(strcmp(first.text, second.text) == 0);
  CHECK(glint_stream_next(stream, -1, &event) == GLINT_END);
  glint_stream_free(stream);

  request.n_completions = 3;
  CHECK(ask(engine, &request).n_finished == 3);
  request.n_completions = 0;

  /* Log probabilities: the greedy choice is the best. */
  request.n_logprobs = 2;
  CHECK(glint_submit(engine, &request, &stream) == GLINT_OK);
  CHECK(glint_stream_next(stream, -1, &event) == GLINT_OK);
  CHECK(event->n_top == 2 && event->top[0].id == event->id && event->top[0].logprob == event->logprob);
  CHECK(event->logprob <= 0 && event->top[1].logprob <= event->logprob);
  glint_stream_free(stream);
  request.n_logprobs = 0;

  request.constraint_kind = GLINT_CONSTRAINT_REGEX, request.constraint = "[0-9]{5}";
  bound = ask(engine, &request);
  CHECK(bound.length == 5 && strspn(bound.text, "0123456789") == 5 && bound.reason == GLINT_FINISH_END_OF_TEXT);
  request.constraint_kind = GLINT_CONSTRAINT_JSON_SCHEMA, request.constraint = "{\"enum\": [\"red\", \"green\"]}";
  bound = ask(engine, &request);
  CHECK(strcmp(bound.text, "\"red\"") == 0 || strcmp(bound.text, "\"green\"") == 0);
  request.constraint_kind = 0, request.constraint = NULL;

  request.prompt = "Once upon a";
  request.stop_strings = &stop, request.n_stop_strings = 1;
  bound = ask(engine, &request);
  CHECK(bound.reason == GLINT_FINISH_STOP_STRING && strstr(bound.text, stop) == NULL);
}

static void on_ready(void* user_data) { *(volatile int*)user_data = 1; }

static void test_cancelling(const char* model) {
  static volatile int woken = 0;
  glint_engine_options options;
  glint_engine* engine = NULL;
  glint_stream *stream = NULL, *refused = NULL, *left = NULL;
  const glint_event* event = NULL;
  glint_request request = greedy("Once upon a time", 0);
  answer told;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.model = model, options.backend = "cpu", options.n_threads = 1, options.n_ctx = 256;
  options.n_parallel = 1, options.n_queued = 1;
  CHECK(glint_engine_open(&options, &engine) == GLINT_OK);
  request.ignore_eos = 1;

  memset(&told, 0, sizeof told);
  told.stop_after = 3;
  CHECK(glint_submit(engine, &request, &stream) == GLINT_OK);
  CHECK(glint_stream_for_each(stream, take, &told) == GLINT_OK);
  CHECK(told.reason == GLINT_FINISH_CANCELLED && told.n_finished == 1 && told.n_tokens >= 3);
  glint_stream_free(stream);

  CHECK(glint_submit(engine, &request, &stream) == GLINT_OK);
  CHECK(glint_stream_when_ready(stream, on_ready, (void*)&woken) == GLINT_OK);
  CHECK(glint_stream_next(stream, -1, &event) == GLINT_OK && event->id >= 0);
  CHECK(glint_submit(engine, &request, &left) == GLINT_OK);
  CHECK_FAILS(glint_submit(engine, &request, &refused), GLINT_ERROR_QUEUE_FULL, "waiting");
  CHECK(glint_stream_cancel(stream) == GLINT_OK);
  while (glint_stream_next(stream, -1, &event) == GLINT_OK) {
    if (event->finish != NULL) CHECK(event->finish->reason == GLINT_FINISH_CANCELLED);
  }
  CHECK(woken == 1);
  glint_stream_free(stream);

  /* A stream that outlives its engine ends. */
  glint_engine_free(engine);
  memset(&told, 0, sizeof told);
  CHECK(glint_stream_for_each(left, take, &told) == GLINT_OK);
  CHECK(told.reason == GLINT_FINISH_CANCELLED);
  glint_stream_free(left);
}

int main(int argc, char** argv) {
  int n_calls = 0;
  glint_engine_options options;
  glint_engine* engine = NULL;
  const glint_engine_info* info;
  glint_statistics statistics;
  if (argc != 2) return 2;
  CHECK(glint_api_version() >> 16 == GLINT_API_VERSION >> 16);
  CHECK(strlen(glint_version()) >= 5);
  CHECK(strcmp(glint_last_error(), "") == 0);
  test_opening(argv[1]);

  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.model = argv[1], options.backend = "cpu", options.n_threads = 2, options.n_ctx = 512;
  options.on_progress = count_progress, options.user_data = &n_calls;
  CHECK(glint_engine_open(&options, &engine) == GLINT_OK);
  if (engine == NULL) return 1;
  CHECK(n_calls > 1);
  statistics.size = sizeof statistics;
  CHECK(glint_engine_get_statistics(engine, &statistics) == GLINT_OK);
  CHECK(statistics.n_pages >= 512 / 64 && statistics.n_free_pages == statistics.n_pages && statistics.n_steps == 0);
  info = glint_engine_get_info(engine);
  CHECK(info->size == sizeof *info && info->n_ctx == 512 && info->n_threads == 2 && info->n_parallel == 8);
  CHECK(info->n_vocab > 100 && info->n_layers > 0 && info->has_vocabulary == 1);
  CHECK(strlen(info->architecture) > 2 && strstr(info->device, "CPU") != NULL);
  test_text(engine);
  test_chat(engine);
  test_refusals(engine);
  test_answers(engine);
  test_sizes(argv[1], engine);
  glint_engine_free(engine);
  test_cancelling(argv[1]);
  if (n_failed == 0) printf("all is well\n");
  return n_failed == 0 ? 0 : 1;
}
