// SPDX-License-Identifier: Apache-2.0
//
// A string that remembers which of its bytes the template wrote (trusted) and which came from the input (untrusted).
// The tokenizer turns special-token text into control tokens only inside trusted bytes, so a user who types
// "<|user|>" cannot open a turn. Slices and concatenations keep the marks byte for byte; an operation that cannot say
// where a byte came from yields trusted bytes only if all of its inputs were trusted.
//
// Bytes are valid UTF-8 (readers check); positions are byte offsets unless a name says points.
// Tested by tests/unit/text/jinja_text_test.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/meter.h"

namespace glint::jinja {

class Text {
 public:
  Text() = default;
  Text(std::string bytes, bool trusted);

  const std::string& bytes() const { return bytes_; }
  std::string_view view() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  /// Code points; cached, so this is cheap.
  size_t n_points() const { return n_points_; }
  /// Byte offset of code point `point`, size() for n_points(). O(1) for ASCII text, else O(point).
  size_t offset_of(size_t point) const;
  /// Code points before byte `offset`.
  size_t points_before(size_t offset) const;

  /// Every byte is trusted (true for empty text).
  bool fully_trusted() const { return bytes_.empty() || (edges_.empty() && first_trusted_); }

  /// Bytes [begin, end), marks included.
  Text slice(size_t begin, size_t end) const;

  /// Calls f(std::string_view, bool trusted) for each run of equal trust within [begin, end); end <= size().
  template <class F>
  void for_each_run(size_t begin, size_t end, F&& f) const {
    auto edge = std::upper_bound(edges_.begin(), edges_.end(), begin);
    bool trusted = first_trusted_ != ((edge - edges_.begin()) % 2 == 1);
    for (size_t from = begin; from < end; trusted = !trusted) {
      const size_t to = edge != edges_.end() && *edge < end ? *edge++ : end;
      f(view().substr(from, to - from), trusted);
      from = to;
    }
  }

  friend bool operator==(const Text& a, const Text& b) { return a.bytes_ == b.bytes_; }

 private:
  friend class TextBuilder;

  std::string bytes_;
  std::vector<size_t> edges_;  // offsets where trust flips, ascending
  bool first_trusted_ = true;
  size_t n_points_ = 0;
};

/// Appends pieces of text; every byte is charged to the meter while the builder lives.
class TextBuilder {
 public:
  explicit TextBuilder(Meter* meter) : charge_(meter, 0) {}

  void append(std::string_view bytes, bool trusted);
  void append(const Text& text) { append(text, 0, text.size()); }
  void append(const Text& text, size_t begin, size_t end);
  void append_repeated(char byte, size_t count, bool trusted);

  size_t size() const { return text_.bytes_.size(); }
  /// What was built; the builder is empty afterwards.
  Text take();

 private:
  Text text_;
  bool last_trusted_ = true;
  Charge charge_;
};

}  // namespace glint::jinja
