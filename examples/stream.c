/* SPDX-License-Identifier: Apache-2.0
 *
 * stream MODEL PROMPT [SCHEMA]: prints an answer as it comes; with a JSON schema the answer follows it. */
#include <glint/glint.h>
#include <stdio.h>

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, glint_last_error());
  return 1;
}

static int32_t show_progress(void* user_data, int64_t done, int64_t total) {
  (void)user_data;
  fprintf(stderr, "\rloading %3d %%", total > 0 ? (int)(100 * done / total) : 100);
  return 0; /* go on */
}

static int32_t show_event(void* user_data, const glint_event* event) {
  const glint_finish* finish = event->finish;
  (void)user_data;
  fwrite(event->text, 1, event->text_size, stdout);
  fflush(stdout);
  if (finish != NULL) {
    fprintf(stderr, "\n%d of %d prompt tokens were cached, %d tokens in %.2f s\n", finish->n_cached, finish->n_prompt,
            finish->n_predicted, finish->predicted_seconds);
  }
  return 0; /* anything else cancels */
}

int main(int argc, char** argv) {
  const glint_setting settings[] = {{"temperature", 0.7}, {"seed", 1}};
  glint_engine_options options = {sizeof options};
  glint_request request = {sizeof request};
  glint_engine* engine = NULL;
  glint_stream* stream = NULL;
  if (argc < 3) {
    fprintf(stderr, "usage: stream MODEL PROMPT [SCHEMA]\n");
    return 2;
  }
  options.model = argv[1];
  options.on_progress = show_progress;
  if (glint_engine_open(&options, &engine) != GLINT_OK) return failed("open");
  fprintf(stderr, "\r%s on %s\n", glint_engine_get_info(engine)->architecture, glint_engine_get_info(engine)->device);

  request.prompt = argv[2];
  request.n_predict = 60;
  request.settings = settings;
  request.n_settings = 2;
  if (argc > 3) {
    request.constraint_kind = GLINT_CONSTRAINT_JSON_SCHEMA;
    request.constraint = argv[3];
  }
  if (glint_submit(engine, &request, &stream) != GLINT_OK) return failed("submit");
  if (glint_stream_for_each(stream, show_event, NULL) != GLINT_OK) return failed("read");
  glint_stream_free(stream);
  glint_engine_free(engine);
  return 0;
}
