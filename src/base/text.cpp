#include "base/text.hpp"

#include <algorithm>
#include <iomanip>

namespace rondo {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string json_text(std::string_view text) {
  std::ostringstream out;
  out << '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out << '\\' << c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      out << "\\u" << std::hex << std::setw(4) << std::setfill('0') << static_cast<int>(c);
    } else {
      out << c;
    }
  }
  out << '"';
  return out.str();
}

std::string padded(std::string text, std::size_t width) {
  constexpr std::size_t gap = 2;
  const std::size_t characters = width_of(text);
  text.append(characters + gap <= width ? width - characters : gap, ' ');
  return text;
}

std::string list_ranks(const std::vector<int>& sorted) {
  std::string text = sorted.size() == 1 ? "rank " : "ranks ";
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t last = i;
    while (last + 1 < sorted.size() && sorted[last + 1] == sorted[last] + 1) ++last;
    if (last == i + 1) last = i;  // "2, 3" reads better than "2-3"
    text += concat(i == 0 ? "" : ", ", sorted[i]);
    if (last > i) text += concat("-", sorted[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace rondo
