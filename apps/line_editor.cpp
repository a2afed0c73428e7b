// SPDX-License-Identifier: Apache-2.0
#include "apps/line_editor.h"

#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <utf8proc.h>

#include <cstdio>
#include <iostream>

#include "apps/terminal.h"

namespace glint::app {
namespace {

/// Raw mode for the life of this object. Signals stay off so that Ctrl-C arrives as a byte.
class RawMode {
 public:
  RawMode() {
    tcgetattr(STDIN_FILENO, &saved_);
    termios raw = saved_;
    raw.c_iflag &= ~static_cast<tcflag_t>(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
    raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | IEXTEN | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    fmt::print(stdout, "\x1b[?2004h");  // bracketed paste on
    std::fflush(stdout);
  }
  ~RawMode() {
    fmt::print(stdout, "\x1b[?2004l");
    std::fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_);
  }

 private:
  termios saved_{};
};

/// Next byte of stdin, or -1 at its end. `timeout_ms` < 0 waits for ever.
int read_byte(int timeout_ms = -1) {
  if (timeout_ms >= 0) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(STDIN_FILENO, &set);
    timeval wait{timeout_ms / 1000, (timeout_ms % 1000) * 1000};
    if (select(STDIN_FILENO + 1, &set, nullptr, nullptr, &wait) <= 0) return -1;
  }
  unsigned char byte = 0;
  return ::read(STDIN_FILENO, &byte, 1) == 1 ? byte : -1;
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

/// The text being edited, the cursor as a byte offset at a code point's start.
class Buffer {
 public:
  explicit Buffer(std::string text) : text_(std::move(text)), cursor_(text_.size()) {}

  const std::string& text() const { return text_; }
  size_t cursor() const { return cursor_; }
  bool empty() const { return text_.empty(); }

  void replace(std::string text) {
    text_ = std::move(text);
    cursor_ = text_.size();
  }
  void insert(std::string_view piece) {
    text_.insert(cursor_, piece);
    cursor_ += piece.size();
  }
  void left() {
    if (cursor_ > 0) cursor_ = previous(cursor_);
  }
  void right() {
    if (cursor_ < text_.size()) cursor_ = next(cursor_);
  }
  void backspace() {
    if (cursor_ == 0) return;
    const size_t start = previous(cursor_);
    text_.erase(start, cursor_ - start);
    cursor_ = start;
  }
  void erase() {
    if (cursor_ < text_.size()) text_.erase(cursor_, next(cursor_) - cursor_);
  }
  void line_start() { cursor_ = line_begin(); }
  void line_end() { cursor_ = std::min(text_.find('\n', cursor_), text_.size()); }
  void kill_to_line_end() { text_.erase(cursor_, std::min(text_.find('\n', cursor_), text_.size()) - cursor_); }
  void kill_line() {
    const size_t start = line_begin();
    text_.erase(start, cursor_ - start);
    cursor_ = start;
  }
  void kill_word() {
    const size_t end = cursor_;
    while (cursor_ > 0 && text_[cursor_ - 1] == ' ') --cursor_;
    while (cursor_ > 0 && text_[cursor_ - 1] != ' ' && text_[cursor_ - 1] != '\n') --cursor_;
    text_.erase(cursor_, end - cursor_);
  }
  /// A backslash before the cursor at the end of the text turns Enter into a line break.
  bool take_trailing_backslash() {
    if (cursor_ != text_.size() || text_.empty() || text_.back() != '\\') return false;
    text_.back() = '\n';
    return true;
  }

 private:
  size_t previous(size_t at) const {
    do --at;
    while (at > 0 && is_continuation(text_[at]));
    return at;
  }
  size_t next(size_t at) const {
    do ++at;
    while (at < text_.size() && is_continuation(text_[at]));
    return at;
  }
  size_t line_begin() const {
    const size_t newline = cursor_ == 0 ? std::string::npos : text_.rfind('\n', cursor_ - 1);
    return newline == std::string::npos ? 0 : newline + 1;
  }

  std::string text_;
  size_t cursor_;
};

/// Redraws prompt and text; remembers on which screen row the cursor was left.
class Screen {
 public:
  explicit Screen(const std::string& prompt) : prompt_(prompt) {}

  void draw(const std::string& text, size_t cursor) {
    std::string out;
    if (cursor_row_ > 0) out += fmt::format("\x1b[{}A", cursor_row_);
    out += "\r\x1b[J";
    const int columns = terminal_columns();
    int row = 0, column = 0, cursor_row = 0, cursor_column = 0;
    put(prompt_, columns, row, column, out);
    put(std::string_view(text).substr(0, cursor), columns, row, column, out);
    cursor_row = row;
    cursor_column = column;
    put(std::string_view(text).substr(cursor), columns, row, column, out);
    if (row > cursor_row) out += fmt::format("\x1b[{}A", row - cursor_row);
    out += "\r";
    if (cursor_column > 0) out += fmt::format("\x1b[{}C", cursor_column);
    cursor_row_ = cursor_row;
    fmt::print(stdout, "{}", out);
    std::fflush(stdout);
  }

 private:
  static int terminal_columns() {
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  }
  static void put(std::string_view text, int columns, int& row, int& column, std::string& out) {
    for (size_t at = 0; at < text.size();) {
      utf8proc_int32_t code = 0;
      const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at);
      const auto length = utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size() - at), &code);
      const size_t count = length > 0 ? static_cast<size_t>(length) : 1;
      if (text[at] == '\n') {
        out += "\r\n";
        ++row;
        column = 0;
      } else {
        const int width = length > 0 ? std::max(0, utf8proc_charwidth(code)) : 1;
        if (column + width > columns) {
          out += "\r\n";
          ++row;
          column = 0;
        }
        // Control characters would move the cursor: show them as a middle dot.
        out += length > 0 && code >= 32 && code != 127 ? std::string(text.substr(at, count)) : "\xC2\xB7";
        column += length > 0 && code >= 32 ? width : 1;
      }
      at += count;
    }
  }

  std::string prompt_;
  int cursor_row_ = 0;
};

/// Bytes between the paste brackets, with CR and CRLF as line breaks.
std::string read_paste() {
  const std::string end = "\x1b[201~";
  std::string text;
  while (true) {
    const int byte = read_byte();
    if (byte < 0) return text;
    text += static_cast<char>(byte);
    if (text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0) {
      text.erase(text.size() - end.size());
      break;
    }
  }
  std::string clean;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      clean += text[i];
    } else if (i + 1 >= text.size() || text[i + 1] != '\n') {
      clean += '\n';
    }
  }
  return clean;
}

enum class Key { kNone, kLeft, kRight, kUp, kDown, kHome, kEnd, kDelete, kPaste, kNewline };

/// What follows an escape byte.
Key read_escape() {
  const int first = read_byte(50);
  if (first == '\r' || first == '\n') return Key::kNewline;  // Alt-Enter
  if (first != '[' && first != 'O') return Key::kNone;
  std::string digits;
  int byte = read_byte(50);
  while (byte >= '0' && byte <= ';') {
    digits += static_cast<char>(byte);
    byte = read_byte(50);
  }
  switch (byte) {
    case 'D': return Key::kLeft;
    case 'C': return Key::kRight;
    case 'A': return Key::kUp;
    case 'B': return Key::kDown;
    case 'H': return Key::kHome;
    case 'F': return Key::kEnd;
    default: break;
  }
  if (byte != '~') return Key::kNone;
  if (digits == "200") return Key::kPaste;
  if (digits == "3") return Key::kDelete;
  if (digits == "1" || digits == "7") return Key::kHome;
  if (digits == "4" || digits == "8") return Key::kEnd;
  return Key::kNone;
}

LineEditor::Result read_plain() {
  std::string text, line;
  bool any = false;
  while (std::getline(std::cin, line)) {
    any = true;
    const bool continues = !line.empty() && line.back() == '\\';
    if (continues) line.back() = '\n';
    text += line;
    if (!continues) return {LineEditor::Outcome::kText, text};
  }
  return {any ? LineEditor::Outcome::kText : LineEditor::Outcome::kEnd, text};
}

/// Walks the history with the message being typed as its last entry.
class HistoryCursor {
 public:
  HistoryCursor(const std::vector<std::string>& past) : past_(past), at_(past.size()) {}
  void up(Buffer& buffer) {
    if (at_ == 0) return;
    if (at_ == past_.size()) draft_ = buffer.text();
    buffer.replace(past_[--at_]);
  }
  void down(Buffer& buffer) {
    if (at_ == past_.size()) return;
    ++at_;
    buffer.replace(at_ == past_.size() ? draft_ : past_[at_]);
  }

 private:
  const std::vector<std::string>& past_;
  size_t at_;
  std::string draft_;
};

void apply_key(Key key, Buffer& buffer, HistoryCursor& history) {
  switch (key) {
    case Key::kLeft: buffer.left(); break;
    case Key::kRight: buffer.right(); break;
    case Key::kUp: history.up(buffer); break;
    case Key::kDown: history.down(buffer); break;
    case Key::kHome: buffer.line_start(); break;
    case Key::kEnd: buffer.line_end(); break;
    case Key::kDelete: buffer.erase(); break;
    case Key::kPaste: buffer.insert(read_paste()); break;
    case Key::kNewline: buffer.insert("\n"); break;
    case Key::kNone: break;
  }
}

}  // namespace

LineEditor::Result LineEditor::read(const std::string& prompt, const std::string& initial) {
  if (isatty(STDIN_FILENO) == 0 || !stdout_is_terminal()) return read_plain();
  RawMode raw_mode;
  Screen screen(prompt);
  Buffer buffer(initial);
  HistoryCursor history(history_);
  const auto finish = [&](Outcome outcome) {
    screen.draw(buffer.text(), buffer.text().size());
    fmt::print(stdout, "\r\n");
    return Result{outcome, buffer.text()};
  };
  while (true) {
    screen.draw(buffer.text(), buffer.cursor());
    const int byte = read_byte();
    switch (byte) {
      case -1: return finish(Outcome::kEnd);
      case 3: return finish(Outcome::kInterrupt);
      case 4:
        if (buffer.empty()) return finish(Outcome::kEnd);
        buffer.erase();
        break;
      case '\r':
      case '\n':  // Enter typed while an answer was running, when the terminal was not raw
        if (buffer.take_trailing_backslash()) break;
        return finish(Outcome::kText);
      case 1: buffer.line_start(); break;
      case 2: buffer.left(); break;
      case 5: buffer.line_end(); break;
      case 6: buffer.right(); break;
      case 11: buffer.kill_to_line_end(); break;
      case 12: fmt::print(stdout, "\x1b[2J\x1b[H"); break;
      case 14: history.down(buffer); break;
      case 16: history.up(buffer); break;
      case 21: buffer.kill_line(); break;
      case 23: buffer.kill_word(); break;
      case 8:
      case 127: buffer.backspace(); break;
      case 27: apply_key(read_escape(), buffer, history); break;
      default: {
        std::string piece(1, static_cast<char>(byte));
        // The rest of a UTF-8 sequence arrives together with its first byte.
        for (int more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0; more > 0; --more) {
          const int next = read_byte(50);
          if (next < 0) break;
          piece += static_cast<char>(next);
        }
        if (byte >= 32 || byte == '\t') buffer.insert(piece);
      }
    }
  }
}

void LineEditor::add_history(const std::string& text) {
  if (!text.empty() && (history_.empty() || history_.back() != text)) history_.push_back(text);
}

}  // namespace glint::app
