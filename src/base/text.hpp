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

/// What `write` makes of each value, as a JSON array.
template <class List, class Write>
std::string json_list(const List& values, Write write) {
  std::string text = "[";
  bool first = true;
  for (const auto& value : values) {
    if (!first) text += ",";
    first = false;
    text += write(value);
  }
  return text + "]";
}

/// The names of those values 0 to count - 1 of an enumeration that are listed: "gather, scatter".
template <class Enum, class Filter>
std::string all_names(int count, Filter is_listed) {
  std::string names;
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    if (is_listed(value)) names += concat(names.empty() ? "" : ", ", name(value));
  }
  return names;
}
/// The names of all of them: "ring, double_tree, one_shot".
template <class Enum>
std::string all_names(int count) {
  return all_names<Enum>(count, [](Enum) { return true; });
}

/// In characters, some of which are several bytes.
std::size_t width_of(std::string_view text);

/// The text and blanks up to a column. A longer one pushes the rest of the line, two blanks away.
std::string padded(std::string text, std::size_t width);

}  // namespace rondo
