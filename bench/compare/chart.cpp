// compare-chart: the chart of a comparison as SVG, drawn as `rondo simulate` draws its own.
//
// Reads lines from standard input, names and texts up to the end of the line:
//   title TEXT
//   subtitle TEXT
//   series NAME     what the points that follow belong to
//   bound NAME      the same, dashed
//   point BYTES MICROSECONDS

#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>

#include "base/units.hpp"
#include "cli/chart.hpp"

namespace {

using rondo::cli::Chart;
using rondo::cli::Series;

/// False where the line is not one of the above.
bool read_line(Chart& chart, const std::string& line) {
  std::istringstream words(line);
  std::string key;
  std::string text;
  words >> key >> std::ws;
  if (key == "point") {
    double bytes = 0;
    double time_us = 0;
    if (!(words >> bytes >> time_us) || bytes <= 0 || time_us <= 0) return false;
    if (chart.series.empty()) return false;
    chart.series.back().points.emplace_back(bytes, time_us * 1e-6);
    return true;
  }
  if (!std::getline(words, text)) return false;
  if (key == "title") {
    chart.title = text;
  } else if (key == "subtitle") {
    chart.subtitle = text;
  } else if (key == "series") {
    chart.series.push_back({.name = text, .points = {}, .style = Series::Style::line});
  } else if (key == "bound") {
    chart.series.push_back({.name = text, .points = {}, .style = Series::Style::bound});
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main() {
  const auto size_text = [](double x) { return rondo::bytes_text(static_cast<std::uint64_t>(x)); };
  Chart chart{.title = {},
              .subtitle = {},
              .x_axis = "size",
              .y_axis = "time",
              .x_text = size_text,
              .y_text = rondo::seconds_text,
              .series = {}};
  std::size_t points = 0;
  for (std::string line; std::getline(std::cin, line);) {
    if (!read_line(chart, line)) {
      std::cerr << "compare-chart: what is this? " << line << "\n";
      return 2;
    }
    points += line.starts_with("point ") ? 1 : 0;
  }
  if (points < 2) {
    std::cerr << "compare-chart: a chart needs two points or more\n";
    return 2;
  }
  std::cout << rondo::cli::draw_chart(chart);
}
