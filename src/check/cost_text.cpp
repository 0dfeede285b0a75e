// Costs as text: one line for each class of paths, with units, for people to read and to edit.
// src/topology/README.md describes the format.
//
// The way there and back is exact. So units are applied to decimal digits, never to binary numbers,
// and where a number is no rate of bytes exactly, it is written as a time per byte.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/words.hpp"
#include "check/cost_model.hpp"

namespace rondo {

namespace {

constexpr std::string_view unlimited = "unlimited";

struct Unit {
  std::string_view name;
  int exponent;
};
constexpr std::array<Unit, 4> times = {{{"s", 0}, {"ms", -3}, {"us", -6}, {"ns", -9}}};
constexpr std::array<Unit, 4> rates = {{{"GB/s", 9}, {"MB/s", 6}, {"kB/s", 3}, {"B/s", 0}}};
constexpr Unit per_byte = {"ns/B", -9};

struct Amount {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<Amount, 4> amounts = {
    {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}}};

// The word of `rondo topo`, in small letters.
std::string word_of(PathClass path) {
  std::string word(name(path));
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return word;
}

std::string all_words() {
  std::string words;
  for (int i = 0; i < path_class_count; ++i) {
    words += concat(i == 0 ? "" : ", ", word_of(static_cast<PathClass>(i)));
  }
  return words;
}

// A number above 0 as 0.d1d2d3… · 10^point.
struct Decimal {
  std::string digits;
  int point = 0;
};

// Shortest that is read as the same number; with fewer digits where `precision` says so.
Decimal decimal_of(double number, int precision = 0) {
  std::array<char, 64> text{};
  char* const begin = text.data();
  char* const limit = begin + text.size();
  const auto [end, error] =
      precision == 0
          ? std::to_chars(begin, limit, number, std::chars_format::scientific)
          : std::to_chars(begin, limit, number, std::chars_format::scientific, precision - 1);
  const std::string_view written(begin, static_cast<std::size_t>(end - begin));
  const std::size_t mark = written.find('e');
  Decimal decimal;
  for (const char c : written.substr(0, mark)) {
    if (c >= '0' && c <= '9') decimal.digits += c;
  }
  while (decimal.digits.size() > 1 && decimal.digits.back() == '0') decimal.digits.pop_back();
  const std::string_view exponent = written.substr(mark + 1);
  decimal.point = 1 + number_in<int>(exponent.substr(exponent.front() == '+' ? 1 : 0)).value_or(0);
  return decimal;
}

std::string fixed_text(const Decimal& decimal, int exponent) {
  const int point = decimal.point - exponent;
  const int digits = static_cast<int>(decimal.digits.size());
  if (point <= 0)
    return concat("0.", std::string(static_cast<std::size_t>(-point), '0'), decimal.digits);
  if (point >= digits) {
    return decimal.digits + std::string(static_cast<std::size_t>(point - digits), '0');
  }
  const auto cut = static_cast<std::size_t>(point);
  return concat(decimal.digits.substr(0, cut), ".", decimal.digits.substr(cut));
}

// In the largest unit in which the number is 1 or more, else the smallest.
std::string in_units(const Decimal& decimal, const std::array<Unit, 4>& units) {
  for (const Unit& unit : units) {
    if (decimal.point > unit.exponent) {
      return concat(fixed_text(decimal, unit.exponent), unit.name);
    }
  }
  return concat(fixed_text(decimal, units.back().exponent), units.back().name);
}

std::string time_text(double seconds) {
  return seconds == 0 ? "0ns" : in_units(decimal_of(seconds), times);
}

// Nothing where the text is more than one number.
std::optional<double> number_of(const std::string& text) {
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::string rate_text(double byte_s) {
  if (byte_s == 0) return std::string(unlimited);
  for (int precision = 1; precision <= std::numeric_limits<double>::max_digits10; ++precision) {
    const Decimal rate = decimal_of(1 / byte_s, precision);
    if (1 / number_of(fixed_text(rate, 0)).value_or(0) == byte_s) return in_units(rate, rates);
  }
  return concat(fixed_text(decimal_of(byte_s), per_byte.exponent), per_byte.name);
}

std::string amount_text(std::uint64_t bytes) {
  for (const Amount& amount : amounts) {
    if (bytes >= amount.bytes && bytes % amount.bytes == 0) {
      return concat(bytes / amount.bytes, amount.name);
    }
  }
  return "0B";
}

class Line : public Words {
 public:
  using Words::Words;

  double time() {
    const auto read = scaled(times);
    return accept(read && *read <= most_cost_seconds ? read : std::nullopt,
                  concat("a time such as 240ns, 1.5us or 2ms, up to ", most_cost_seconds, " s"));
  }
  // Seconds a byte.
  double rate() {
    std::optional<double> read = scaled(rates);
    if (read) read = 1 / *read;
    if (!read) read = scaled(std::array{per_byte});
    if (word() == unlimited) read = 0;
    return accept(read && *read <= most_byte_seconds ? read : std::nullopt,
                  "a rate such as 5.1GB/s or 800MB/s, a time a byte such as 0.2ns/B, or unlimited; "
                  "1kB/s is the slowest");
  }
  std::uint64_t amount() {
    return accept(amount_in(word()), "a number of bytes such as 512KiB, 1MiB or 0B");
  }
  std::string host() {
    if (failed()) return {};
    std::string id(word());
    if (id.empty()) expected("the id of a host, as `rondo topo --text` shows it");
    advance();
    return id;
  }
  std::optional<PathClass> path() {
    for (int i = 0; i < path_class_count; ++i) {
      const auto candidate = static_cast<PathClass>(i);
      if (take(word_of(candidate))) return candidate;
    }
    return std::nullopt;
  }

 private:
  // The digits in front of the first unit that fits, with that unit's exponent.
  template <std::size_t count>
  std::optional<double> scaled(const std::array<Unit, count>& units) const {
    const std::size_t end = word().find_first_not_of("0123456789.");
    if (end == 0 || end == word().npos || word().front() == '.') return std::nullopt;
    for (const Unit& unit : units) {
      if (word().substr(end) != unit.name) continue;
      return number_of(concat(word().substr(0, end), "e", unit.exponent));
    }
    return std::nullopt;
  }

  static std::optional<std::uint64_t> amount_in(std::string_view word) {
    const std::size_t end = std::min(word.find_first_not_of("0123456789"), word.size());
    const auto number = number_in<std::uint64_t>(word.substr(0, end));
    for (const Amount& amount : amounts) {
      if (word.substr(end) != amount.name || !number) continue;
      if (*number > std::numeric_limits<std::uint64_t>::max() / amount.bytes) break;
      return *number * amount.bytes;
    }
    return std::nullopt;
  }

  template <class T>
  T accept(const std::optional<T>& value, std::string_view what) {
    if (failed()) return {};
    if (!value) {
      expected(what);
      return {};
    }
    advance();
    return *value;
  }
};

enum class Quantity : std::uint8_t { time, rate, amount };

// A word of a line, and where its value goes.
struct Field {
  std::string_view key;
  Quantity quantity = Quantity::time;
  double* number = nullptr;
  std::uint64_t* bytes = nullptr;
  bool is_left_out_at_0 = false;
};

std::vector<Field> fields_of(LinkCost& link) {
  return {{"latency", Quantity::time, &link.latency_s},
          {"overhead", Quantity::time, &link.overhead_s},
          {"wire", Quantity::rate, &link.byte_s},
          {"processor", Quantity::rate, &link.overhead_byte_s},
          {"window", Quantity::amount, nullptr, &link.window_bytes},
          {"publish", Quantity::amount, nullptr, &link.published_bytes, true}};
}

std::vector<Field> fields_of(CostTable& costs) {
  return {{"start", Quantity::time, &costs.start_s},
          {"reduce", Quantity::rate, &costs.reduce_byte_s},
          {"copy", Quantity::rate, &costs.copy_byte_s},
          {"switch", Quantity::time, &costs.switch_s},
          {"kernel", Quantity::time, &costs.kernel_s, nullptr, true}};
}

std::vector<Field> fields_of(DeviceCost& device) {
  return {{"latency", Quantity::time, &device.latency_s},
          {"read", Quantity::rate, &device.read_byte_s},
          {"write", Quantity::rate, &device.write_byte_s}};
}

std::vector<Field> fields_of(PortCost& port) {
  return {{"wire", Quantity::rate, &port.byte_s}};
}

std::string value_text(const Field& field) {
  switch (field.quantity) {
    case Quantity::time:
      return time_text(*field.number);
    case Quantity::rate:
      return rate_text(*field.number);
    case Quantity::amount:
      break;
  }
  return amount_text(*field.bytes);
}

void read_value(Line& line, const Field& field) {
  switch (field.quantity) {
    case Quantity::time:
      *field.number = line.time();
      return;
    case Quantity::rate:
      *field.number = line.rate();
      return;
    case Quantity::amount:
      *field.bytes = line.amount();
  }
}

// What is not named costs nothing.
void read_fields(Line& line, std::vector<Field> fields) {
  const auto named = [&] {
    std::string keys;
    for (const Field& field : fields) keys += concat(keys.empty() ? "" : ", ", field.key);
    return keys;
  };
  bool any = false;
  while (!line.failed() && !(any && line.empty())) {
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const Field& one) { return line.take(one.key); });
    if (field == fields.end()) {
      line.expected(fields.empty() ? "the end of the line" : concat("one of ", named()));
      return;
    }
    read_value(line, *field);
    fields.erase(field);
    any = true;
  }
}

std::string line_text(std::string_view begin, const std::vector<Field>& fields) {
  std::string text(begin);
  for (const Field& field : fields) {
    const bool is_0 = field.bytes != nullptr ? *field.bytes == 0 : *field.number == 0;
    if (field.is_left_out_at_0 && is_0) continue;
    text += concat(" ", field.key, " ", value_text(field));
  }
  return text + "\n";
}

class Parser {
 public:
  Result<CostTable> parse(std::string_view text) {
    const std::string wrong =
        first_wrong_line<Line>(text, [this](Line& line, std::size_t) { parse_line(line); });
    if (!wrong.empty()) return failure(wrong);
    if (!header_) return failure("the text is empty; it begins 'rondo costs 1'");
    return costs_;
  }

 private:
  static Error failure(const std::string& text) {
    return Error(ErrorCode::invalid_argument, concat("cost text: ", text));
  }

  void parse_line(Line& line) {
    if (!header_) {
      line.need("rondo");
      line.need("costs");
      line.need("1");
      line.finish();
      header_ = true;
    } else if (!rank_ && line.take("rank")) {
      read_fields(line, fields_of(costs_));
      rank_ = true;
    } else if (line.take("port")) {
      parse_port(line);
    } else if (line.take("device")) {
      const auto path = line.path();
      if (path) return parse_costs_of(*path, costs_.devices, line);
      line.expected(concat("a class of paths (", all_words(), ")"));
    } else if (const auto path = line.path()) {
      parse_costs_of(*path, costs_.links, line);
    } else {
      line.expected(
          concat(rank_ ? "" : "rank, ", "port, device, or a class of paths (", all_words(), ")"));
    }
  }

  template <class Costs>
  static void parse_costs_of(PathClass path, Costs& by_class, Line& line) {
    auto& costs = by_class[static_cast<std::size_t>(path)];
    if (costs) {
      line.refuse(concat("the class ", word_of(path), " appears twice"));
      return;
    }
    costs.emplace();
    read_fields(line, fields_of(*costs));
  }

  void parse_port(Line& line) {
    PortCost port{.host = line.host()};
    for (const PortCost& other : costs_.ports) {
      if (other.host == port.host) line.refuse(concat("the host ", port.host, " appears twice"));
    }
    read_fields(line, fields_of(port));
    costs_.ports.push_back(std::move(port));
  }

  CostTable costs_;
  bool header_ = false;
  bool rank_ = false;
};

}  // namespace

std::string to_text(const CostTable& costs) {
  CostTable table = costs;
  std::string text = "rondo costs 1\n" + line_text("rank", fields_of(table));
  for (int i = 0; i < path_class_count; ++i) {
    auto& link = table.links[static_cast<std::size_t>(i)];
    if (link) text += line_text(word_of(static_cast<PathClass>(i)), fields_of(*link));
  }
  for (int i = 0; i < path_class_count; ++i) {
    auto& device = table.devices[static_cast<std::size_t>(i)];
    const std::string word = word_of(static_cast<PathClass>(i));
    if (device) text += line_text(concat("device ", word), fields_of(*device));
  }
  for (PortCost& port : table.ports) text += line_text(concat("port ", port.host), fields_of(port));
  return text;
}

Result<CostTable> parse_cost_table(std::string_view text) {
  return Parser().parse(text);
}

}  // namespace rondo
