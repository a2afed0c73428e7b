// SPDX-License-Identifier: Apache-2.0
//
// POST /web/pdf-text: the text of a PDF that somebody dropped on the web page, by poppler's pdftotext where the machine
// has it. PDFs are hostile: the program runs by itself, without a shell, on files in memory that it cannot name, within
// bounds of time, memory and output, and few at once. Added by server/application; knows no model.
// Tested by tests/unit/server/pdf_text_test.cpp.
#pragma once

#include <string>

#include "server/router.h"

namespace glint::server {

struct PdfTextOptions {
  std::string program = "pdftotext";  // found in PATH
  int most_seconds = 20;
  size_t most_pdf_bytes = 32 << 20;
  size_t most_text_bytes = 4 << 20;
  size_t most_memory_bytes = size_t{1} << 30;
  int most_at_once = 2;
};

void add_pdf_endpoint(Router& router, const PdfTextOptions& options = {});

}  // namespace glint::server
