#pragma once

// Reading texts that come from people and files: line by line, word by word. Nothing is allocated
// by the numbers in a text, only by its length.

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace rondo {

/// The word as an error quotes it: no control characters, and not without end.
inline std::string quoted(std::string_view word) {
  constexpr std::size_t most = 60;
  std::string text = "'";
  for (const char c : word.substr(0, most)) text += c >= ' ' && c < 127 ? c : '?';
  return text + (word.size() > most ? "…'" : "'");
}

/// The number that the whole word is.
template <class Number>
std::optional<Number> number_in(std::string_view word, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// The words of one line, up to a '#'. The first thing that is not as expected is kept as the
/// line's error, and nothing is taken after it.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text.substr(0, text.find('#'))) { advance(); }

  bool empty() const { return word_.empty(); }
  std::string_view word() const { return word_; }
  bool failed() const { return !error_.empty(); }
  const std::string& error() const { return error_; }

  void expected(std::string_view what) {
    if (failed()) return;
    error_ = concat("expected ", what, ", found ",
                    word_.empty() ? std::string("the end of the line") : quoted(word_));
  }
  /// Says something else about the line than what is expected.
  void refuse(std::string text) {
    if (!failed()) error_ = std::move(text);
  }
  /// Takes the next word if it is this one.
  bool take(std::string_view word) {
    if (failed() || word_ != word) return false;
    advance();
    return true;
  }
  void need(std::string_view word) {
    if (!take(word)) expected(quoted(word));
  }
  /// What is wrong with words that were read.
  void fail(std::string text) {
    if (!failed()) error_ = std::move(text);
  }
  void finish() {
    if (!empty()) expected("the end of the line");
  }

 protected:
  void advance() {
    constexpr std::string_view blanks = " \t\r";
    const std::size_t begin = std::min(rest_.find_first_not_of(blanks), rest_.size());
    const std::size_t end = std::min(rest_.find_first_of(blanks, begin), rest_.size());
    word_ = rest_.substr(begin, end - begin);
    rest_ = rest_.substr(end);
  }

 private:
  std::string_view rest_;
  std::string_view word_;
  std::string error_;
};

/// Hands each line that has words to parse(line, number), counted from 1, up to the first that is
/// wrong: "line 3: …", or nothing where all are right. A line is a kind of Words.
template <class Line, class Parse>
std::string first_wrong_line(std::string_view text, Parse parse) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Line line(text.substr(0, end));
    if (!line.empty()) {
      parse(line, number);
      line.finish();
      if (line.failed()) return concat("line ", number, ": ", line.error());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return "";
}

}  // namespace rondo
