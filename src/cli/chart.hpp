#pragma once

// A line chart with logarithmic axes, as SVG.

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace rondo::cli {

struct Series {
  enum class Style {
    line,
    reference,  ///< dashed and without its name, in the colour of the one before
    bound,      ///< dashed, in the colour of the title
  };

  std::string name;
  std::vector<std::pair<double, double>> points;  ///< x and y, both above 0, by x
  Style style = Style::line;
};

struct Chart {
  std::string title;
  std::string subtitle;
  std::string x_axis;
  std::string y_axis;
  std::function<std::string(double)> x_text;
  std::function<std::string(double)> y_text;
  std::vector<Series> series;
};

/// The chart has a point at two places of x or more.
std::string draw_chart(const Chart& chart);

}  // namespace rondo::cli
