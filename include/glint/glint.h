/* SPDX-License-Identifier: Apache-2.0
 *
 * The C API of glint: load a model, ask it many things at once, read the answers as they come.
 *
 *   glint_engine_options options = {sizeof options};
 *   options.model = "model.gguf";
 *   glint_engine* engine;
 *   if (glint_engine_open(&options, &engine) != GLINT_OK) { puts(glint_last_error()); exit(1); }
 *   glint_request request = {sizeof request};
 *   request.prompt = "Once upon a time";
 *   glint_stream* stream;
 *   const glint_event* event;
 *   if (glint_submit(engine, &request, &stream) == GLINT_OK) {
 *     while (glint_stream_next(stream, -1, &event) == GLINT_OK) fwrite(event->text, 1, event->text_size, stdout);
 *   }
 *   glint_stream_free(stream);
 *   glint_engine_free(engine);
 *
 * Structs begin with `size`. In one that you fill it is sizeof of it, and all else may be zero: 0 and NULL are the
 * defaults. In one that the library fills it is how much of it this library knows; look no further. So a program runs
 * with libraries older and newer than its header, as long as GLINT_API_VERSION's and glint_api_version()'s upper 16
 * bits agree. A field that an older library does not know is refused unless it is zero.
 *
 * Functions that can fail return a status; the message is glint_last_error(). An out parameter is NULL or 0 after a
 * failure. No exception leaves the library. Text is UTF-8; what the library gives ends in a NUL that is not counted.
 *
 * Threads: an engine may be used from any number of threads. A stream is read by one thread at a time;
 * glint_stream_cancel may come from any. Free an engine when nobody is in a function with it; its streams may be read and
 * freed after it. Callbacks say on which thread they come; they must not throw, nor free what they are called for.
 *
 * Tested by tests/c_api. */
#ifndef GLINT_GLINT_H
#define GLINT_GLINT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define GLINT_API __attribute__((visibility("default")))
#else
#define GLINT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define GLINT_API_VERSION 0x00010000u /* upper half: breaks; lower half: additions */
GLINT_API uint32_t glint_api_version(void);
/* As "0.1.0". */
GLINT_API const char* glint_version(void);

typedef int32_t glint_status;
enum {
  GLINT_OK = 0,
  GLINT_END = 1,     /* the stream has no more events */
  GLINT_TIMEOUT = 2, /* none came in time */
  GLINT_ERROR_INVALID = -1,        /* an argument, or what a request asks for */
  GLINT_ERROR_MODEL = -2,          /* the file cannot be read or run, or does not fit the memory */
  GLINT_ERROR_ABORTED = -3,        /* a callback asked to stop */
  GLINT_ERROR_CONTEXT_LENGTH = -4, /* the prompt is longer than the context */
  GLINT_ERROR_QUEUE_FULL = -5,     /* too many requests wait; try again later */
  GLINT_ERROR_SHUT_DOWN = -6,      /* the engine is being freed */
  GLINT_ERROR_BUFFER = -7,         /* the buffer is too small; the size it takes was given back */
  GLINT_ERROR_MEMORY = -8,         /* out of memory */
  GLINT_ERROR_INTERNAL = -9        /* a bug in glint */
};
/* Of this thread's last call that failed; valid until its next one. Never NULL. */
GLINT_API const char* glint_last_error(void);

/* ---- The engine ---------------------------------------------------------------------------------------------------- */

typedef struct glint_engine glint_engine;

typedef struct glint_engine_options {
  size_t size;
  const char* model;        /* path of a GGUF file; of a split set any part */
  const char* backend;      /* "auto" (a card, or else the CPU; default), "cpu", "cuda", "ref" */
  const char* cache_type_k; /* "f16" (default), "f32", "bf16", "q8_0" */
  const char* cache_type_v;
  int32_t card;             /* of "cuda" */
  int32_t n_cpu_moe;        /* layers whose experts stay in host memory; -1: all */
  int32_t n_threads;        /* default: the cores really available */
  int32_t n_ctx;            /* tokens of context; default: what the model was trained for, as memory allows */
  int32_t n_ubatch;         /* tokens computed in one step; default 512 */
  int32_t n_parallel;       /* answers that run at once; default 8 */
  int32_t n_queued;         /* answers that may wait besides; default 256 */
  const char* store_folder; /* keeps computed prefixes for the next start; default: none */
  int64_t store_bytes;      /* the most it may take; default 8 GiB */
  void* user_data;          /* given to the two callbacks */
  /* Bytes of the weights that are there. Anything but 0 gives up: GLINT_ERROR_ABORTED. On the opening thread. */
  int32_t (*on_progress)(void* user_data, int64_t done, int64_t total);
  /* What a user should know about the file or the store, a line each. From any thread, until the engine is freed. */
  void (*on_warning)(void* user_data, const char* text);
} glint_engine_options;

GLINT_API glint_status glint_engine_open(const glint_engine_options* options, glint_engine** engine);
/* Cancels what is running. NULL is allowed. */
GLINT_API void glint_engine_free(glint_engine* engine);

typedef struct glint_engine_info {
  size_t size;
  const char* architecture; /* as the file names it */
  const char* device;       /* where it runs */
  int32_t n_ctx;
  int32_t n_ctx_train;
  int32_t n_vocab;
  int32_t n_layers;
  int32_t n_threads;
  int32_t n_parallel;
  int32_t has_vocabulary; /* without one requests take ids, and answers have no text */
  int32_t has_chat_template;
} glint_engine_info;
/* Constant; lives as long as the engine. NULL for NULL. */
GLINT_API const glint_engine_info* glint_engine_get_info(const glint_engine* engine);

/* Of now. You set size; the library fills what both know and sets size to that. */
typedef struct glint_statistics {
  size_t size;
  int32_t n_open; /* answers submitted and not finished */
  int32_t n_running;
  int32_t n_waiting;
  int32_t n_pages; /* of 64 tokens, that the cache has */
  int32_t n_free_pages;
  int32_t n_idle_pages; /* that nobody uses now, kept in case somebody asks alike */
  int64_t n_steps;      /* so far */
  int64_t n_tokens;     /* computed so far */
  int64_t n_preempted;
} glint_statistics;
GLINT_API glint_status glint_engine_get_statistics(const glint_engine* engine, glint_statistics* statistics);

/* ---- Text and tokens ----------------------------------------------------------------------------------------------- */
/* Into buffers of yours. *n is how many there are, also where `capacity` is less: then nothing is written and the status
 * is GLINT_ERROR_BUFFER. A buffer of NULL with capacity 0 asks for the number alone. */

enum {
  GLINT_TOKENIZE_ADD_SPECIAL = 1,  /* the tokens that the vocabulary puts around a text */
  GLINT_TOKENIZE_PARSE_SPECIAL = 2 /* "<|user|>" is a control token: not for text that users wrote */
};
GLINT_API glint_status glint_tokenize(const glint_engine* engine, const char* text, size_t text_size, uint32_t flags,
                                      int32_t* ids, size_t capacity, size_t* n);

enum { GLINT_DETOKENIZE_SKIP_SPECIAL = 1 };
/* The text is valid UTF-8, whatever the ids. `capacity` counts the NUL too, *n does not. */
GLINT_API glint_status glint_detokenize(const glint_engine* engine, const int32_t* ids, size_t n_ids, uint32_t flags,
                                        char* text, size_t capacity, size_t* n);

/* A conversation, for the chat template of the file. */
typedef struct glint_chat {
  size_t size;
  const char* messages;  /* JSON: [{"role": "user", "content": "Hello"}, ...] */
  const char* tools;     /* JSON: [{"type": "function", "function": {...}}, ...]; default: none */
  const char* variables; /* JSON: {"enable_thinking": false}; default: none */
  int32_t thinking;      /* 1: on, -1: off; default: as the template has it */
  int32_t is_complete;   /* 1: no reply is asked for, so the prompt ends with the last message */
} glint_chat;
/* The prompt as text. `capacity` counts the NUL too, *n does not. */
GLINT_API glint_status glint_chat_render(const glint_engine* engine, const glint_chat* chat, char* text, size_t capacity,
                                         size_t* n);
/* The prompt as tokens; nothing that stands in a message becomes a control token. */
GLINT_API glint_status glint_chat_tokenize(const glint_engine* engine, const glint_chat* chat, int32_t* ids,
                                           size_t capacity, size_t* n);

/* ---- Requests ------------------------------------------------------------------------------------------------------ */

/* "temperature", "top_k", "top_p", "min_p", "seed", "repeat_penalty", ... as docs/API.md lists them; whole where the
 * setting is. What is not set is as the file recommends, or else glint's default. This struct never grows. */
typedef struct glint_setting {
  const char* name;
  double value;
} glint_setting;

typedef struct glint_logit_bias { /* never grows */
  int32_t id;
  float bias; /* -INFINITY bans */
} glint_logit_bias;

enum { GLINT_PRIORITY_NORMAL = 0, GLINT_PRIORITY_INTERACTIVE = 1, GLINT_PRIORITY_BATCH = 2 };

enum {
  GLINT_CONSTRAINT_NONE = 0,
  GLINT_CONSTRAINT_JSON_SCHEMA = 1, /* "{}" is any JSON */
  GLINT_CONSTRAINT_REGEX = 2,
  GLINT_CONSTRAINT_GRAMMAR = 3,    /* GBNF */
  GLINT_CONSTRAINT_TOOL_CALLS = 4, /* calls of the chat's tools, in the model's own syntax, and no other text */
  GLINT_CONSTRAINT_LAX_JSON_SCHEMA = 5 /* what cannot be enforced is left out with a warning, not refused */
};

typedef struct glint_request {
  size_t size;
  /* One of these three: */
  const char* prompt; /* text in which control tokens count; begins with what the vocabulary puts before a text */
  const glint_chat* chat;
  const int32_t* ids;
  size_t n_ids;

  int32_t n_predict;     /* the most tokens; default: until the model ends or the context is full */
  int32_t n_completions; /* default 1; with a seed, completion i has seed + i */
  int32_t n_logprobs;    /* the most probable tokens reported with each; default: none, nor its own */
  int32_t priority;
  int32_t ignore_eos;      /* 1: never end before n_predict */
  int32_t show_special;    /* 1: control tokens have text */
  int32_t thinking_budget; /* tokens after which a chat's thinking is closed; default: no limit, -1: at once */
  int32_t constraint_kind;
  const char* constraint; /* its text; of GLINT_CONSTRAINT_TOOL_CALLS a tool's name, or NULL for any */
  const glint_setting* settings;
  size_t n_settings;
  const char* samplers; /* order of the chain, "top_k;top_p;temperature"; default: all of them */
  const glint_logit_bias* logit_bias;
  size_t n_logit_bias;
  const char* const* stop_strings; /* not part of the answer */
  size_t n_stop_strings;
} glint_request;

/* ---- Answers ------------------------------------------------------------------------------------------------------- */

typedef struct glint_stream glint_stream;

typedef struct glint_token_logprob { /* never grows */
  int32_t id;
  double logprob; /* natural logarithm, before any sampler */
} glint_token_logprob;

enum {
  GLINT_FINISH_END_OF_TEXT = 1,
  GLINT_FINISH_STOP_STRING = 2,
  GLINT_FINISH_LIMIT = 3,        /* n_predict */
  GLINT_FINISH_CONTEXT_FULL = 4,
  GLINT_FINISH_CANCELLED = 5,
  GLINT_FINISH_ERROR = 6
};

/* How a completion ended, and what it took. */
typedef struct glint_finish {
  size_t size;
  int32_t reason;
  int32_t end_token;       /* of GLINT_FINISH_END_OF_TEXT; -1: none, as where a constraint was complete */
  const char* stop_string; /* of GLINT_FINISH_STOP_STRING, else "" */
  const char* error;       /* of GLINT_FINISH_ERROR, else "" */
  int32_t n_prompt;        /* tokens */
  int32_t n_cached;        /* of them, found in the cache */
  int32_t n_computed;      /* prompt tokens computed: more than the rest where the answer was preempted */
  int32_t n_predicted;
  double queue_seconds;
  double prompt_seconds;
  double predicted_seconds;
  /* Where the nearest prompt that the cache knew went another way: */
  int32_t parting_position;         /* of the first token that differs; -1: nowhere */
  const char* parting_prompt_text; /* around it, of both; "" */
  const char* parting_cached_text;
} glint_finish;

/* A token that was chosen and the text that became final with it, or a completion's end with text that was held back. */
typedef struct glint_event {
  size_t size;
  int32_t completion;
  int32_t id;       /* -1: none was chosen */
  const char* text; /* whole code points; may be "" */
  size_t text_size;
  double logprob;                   /* where n_logprobs was asked for, else 0 */
  const glint_token_logprob* top; /* best first */
  size_t n_top;
  const glint_finish* finish; /* in a completion's last event, else NULL */
} glint_event;

/* Checks the request and queues it; nothing of it is needed afterwards. */
GLINT_API glint_status glint_submit(glint_engine* engine, const glint_request* request, glint_stream** stream);

/* The next event, valid until the next call for this stream. Waits up to timeout_ms, if that is not negative. GLINT_END
 * when all completions have finished, GLINT_TIMEOUT when none came in time. */
GLINT_API glint_status glint_stream_next(glint_stream* stream, int32_t timeout_ms, const glint_event** event);

/* Every event from now on, on this thread; returns when all completions have finished. Anything but 0 from the callback
 * cancels what is running, and the rest is still told. */
typedef int32_t (*glint_event_callback)(void* user_data, const glint_event* event);
GLINT_API glint_status glint_stream_for_each(glint_stream* stream, glint_event_callback callback, void* user_data);

/* Calls `wake` once, as soon as glint_stream_next with timeout 0 has something to say: at once on this thread, or from
 * the engine's, which it must not keep, nor use the stream from. Never after the stream was freed. For event loops. */
GLINT_API glint_status glint_stream_when_ready(glint_stream* stream, void (*wake)(void* user_data), void* user_data);

/* All completions finish within one step, with GLINT_FINISH_CANCELLED. */
GLINT_API glint_status glint_stream_cancel(glint_stream* stream);

/* Cancels what is still running. NULL is allowed. */
GLINT_API void glint_stream_free(glint_stream* stream);

#ifdef __cplusplus
}
#endif

#endif
