#pragma once

#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace rondo {

/// Joins its arguments as a stream would print them: concat("rank ", 3, " left").
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// "rank 2", "ranks 2, 5-9".
std::string list_ranks(const std::vector<int>& sorted);

/// As a JSON string, with its quotation marks.
std::string json_text(std::string_view text);

/// The names of the values 0 to count - 1 of an enumeration: "ring, double_tree, one_shot".
template <class Enum>
std::string all_names(int count) {
  std::string names;
  for (int i = 0; i < count; ++i) {
    names += concat(i == 0 ? "" : ", ", name(static_cast<Enum>(i)));
  }
  return names;
}

/// In characters, some of which are several bytes.
std::size_t width_of(std::string_view text);

/// The text and blanks up to a column. A longer one pushes the rest of the line, two blanks away.
std::string padded(std::string text, std::size_t width);

}  // namespace rondo
