#include "cli/chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"

namespace rondo::cli {

namespace {

constexpr double left = 86;
constexpr double top = 96;
constexpr double width = 640;
constexpr double height = 400;
constexpr double label_room = 150;  // right of the lines, for their names
constexpr double label_height = 18;
constexpr int most_x_labels = 9;

constexpr const char* ink = "#1d2433";
constexpr const char* soft_ink = "#667085";
constexpr const char* grid = "#e4e7ec";
constexpr const char* faint_grid = "#f2f4f7";

// "10 ms" for "10.0 ms": marks are round numbers.
std::string round_text(std::string text) {
  const std::size_t point = text.find('.');
  if (point == std::string::npos) return text;
  const std::size_t end = std::min(text.find(' ', point), text.size());
  std::size_t kept = end;
  while (kept > point + 1 && text[kept - 1] == '0') --kept;
  if (kept == point + 1) kept = point;
  return text.erase(kept, end - kept);
}

// Told apart by people with any colour vision: after M. Okabe and K. Ito, a little darker.
constexpr std::array colours = {"#0a6cb0", "#d1552b", "#0b8a68", "#a8438c",
                                "#b58900", "#2aa1c7", "#5b5f66"};

class ChartPicture {
 public:
  explicit ChartPicture(const Chart& chart) : chart_(chart) { measure(); }

  std::string draw() {
    const double full_width = left + width + label_room;
    const double full_height = top + height + 76;
    out_ << std::fixed << std::setprecision(1);
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << full_width << "\" height=\""
         << full_height << "\" viewBox=\"0 0 " << full_width << " " << full_height
         << "\" font-family=\"Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n<title>"
         << chart_.title << "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    text(28, 38, chart_.title, concat("font-size=\"19\" font-weight=\"bold\" fill=\"", ink, "\""));
    text(28, 60, chart_.subtitle, concat("font-size=\"13\" fill=\"", soft_ink, "\""));
    draw_y_axis();
    draw_x_axis();
    for (std::size_t i = 0; i < chart_.series.size(); ++i) draw_line(i);
    draw_names();
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  void measure() {
    double least = INFINITY;
    double most = 0;
    for (const Series& series : chart_.series) {
      for (const auto& [x, y] : series.points) {
        xs_.push_back(x);
        least = std::min(least, y);
        most = std::max(most, y);
      }
    }
    std::sort(xs_.begin(), xs_.end());
    xs_.erase(std::unique(xs_.begin(), xs_.end()), xs_.end());
    // Whole steps of 1, 2, 5 around the lines.
    low_ = least;
    high_ = most;
    for (const double mark : marks(least / 10, most * 10)) {
      if (mark <= least) low_ = mark;
      if (mark >= most) {
        high_ = mark;
        break;
      }
    }
    if (high_ <= low_) high_ = low_ * 2;
  }

  // 1, 2 and 5 times the powers of ten between both.
  static std::vector<double> marks(double from, double to) {
    std::vector<double> found;
    for (double power = std::pow(10, std::floor(std::log10(from))); power <= to; power *= 10) {
      for (const double mark : {1.0, 2.0, 5.0}) {
        if (mark * power >= from * 0.999 && mark * power <= to * 1.001) {
          found.push_back(mark * power);
        }
      }
    }
    return found;
  }

  static bool is_power_of_ten(double value) {
    const double digits = std::log10(value);
    return std::abs(digits - std::round(digits)) < 1e-6;
  }

  double place_x(double x) const {
    const double span = std::log(xs_.back() / xs_.front());
    return left + (span > 0 ? std::log(x / xs_.front()) / span : 0.5) * width;
  }
  double place_y(double y) const {
    return top + height - std::log(y / low_) / std::log(high_ / low_) * height;
  }

  void text(double x, double y, std::string_view words, std::string_view attributes) {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" " << attributes << ">" << words
         << "</text>\n";
  }

  void line(double x1, double y1, double x2, double y2, std::string_view colour) {
    out_ << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2
         << "\" stroke=\"" << colour << "\"/>\n";
  }

  void draw_y_axis() {
    const bool few = high_ / low_ < 200;  // room for the labels of 2 and 5 too
    for (const double mark : marks(low_, high_)) {
      const double y = place_y(mark);
      const bool strong = few || is_power_of_ten(mark);
      line(left, y, left + width, y, strong ? grid : faint_grid);
      if (!strong) continue;
      text(left - 10, y + 4, round_text(chart_.y_text(mark)),
           concat("font-size=\"12\" text-anchor=\"end\" fill=\"", soft_ink, "\""));
    }
    text(28, top - 14, chart_.y_axis,
         concat("font-size=\"12\" font-weight=\"bold\" fill=\"", soft_ink, "\""));
  }

  void draw_x_axis() {
    const double bottom = top + height;
    const auto count = static_cast<int>(xs_.size());
    const int every = (count + most_x_labels - 1) / most_x_labels;
    for (int i = 0; i < count; ++i) {
      const double x = place_x(xs_[i]);
      line(x, top, x, bottom, i % every == 0 ? grid : faint_grid);
      if (i % every != 0) continue;
      line(x, bottom, x, bottom + 5, "#98a2b3");
      text(x, bottom + 21, chart_.x_text(xs_[i]),
           concat("font-size=\"12\" text-anchor=\"middle\" fill=\"", soft_ink, "\""));
    }
    line(left, bottom, left + width, bottom, "#98a2b3");
    text(left + width / 2, bottom + 48, chart_.x_axis,
         concat("font-size=\"12\" font-weight=\"bold\" text-anchor=\"middle\" fill=\"", soft_ink,
                "\""));
  }

  const char* colour_of(std::size_t index) const {
    if (chart_.series[index].style == Series::Style::bound) return ink;
    const auto begin = chart_.series.begin();
    const auto own = std::count_if(begin, begin + static_cast<std::ptrdiff_t>(index) + 1,
                                   [](const Series& s) { return s.style == Series::Style::line; });
    return colours[static_cast<std::size_t>(std::max<std::ptrdiff_t>(own - 1, 0)) % colours.size()];
  }

  void draw_line(std::size_t index) {
    const Series& series = chart_.series[index];
    if (series.points.empty()) return;
    const char* colour = colour_of(index);
    out_ << "<polyline fill=\"none\" stroke=\"" << colour
         << (series.style == Series::Style::line ? "" : "\" stroke-dasharray=\"5 5")
         << "\" stroke-width=\"2.4\" stroke-linejoin=\"round\" stroke-linecap=\"round\" points=\"";
    for (const auto& [x, y] : series.points) out_ << place_x(x) << "," << place_y(y) << " ";
    out_ << "\"/>\n";
    if (series.style == Series::Style::bound) return;
    for (const auto& [x, y] : series.points) {
      out_ << "<circle cx=\"" << place_x(x) << "\" cy=\"" << place_y(y)
           << "\" r=\"3.4\" fill=\"#ffffff\" stroke=\"" << colour << "\" stroke-width=\"2\"><title>"
           << series.name << ", " << chart_.x_text(x) << ": " << chart_.y_text(y)
           << "</title></circle>\n";
    }
  }

  // Each name at the end of its line, moved as far as it takes to keep them apart.
  void draw_names() {
    struct Name {
      std::size_t series;
      double end;
      double y;
    };
    std::vector<Name> names;
    for (std::size_t i = 0; i < chart_.series.size(); ++i) {
      const Series& series = chart_.series[i];
      if (series.points.empty() || series.style == Series::Style::reference) continue;
      const double end = place_y(series.points.back().second);
      names.push_back({i, end, end});
    }
    std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) { return a.y < b.y; });
    for (std::size_t i = 1; i < names.size(); ++i) {
      names[i].y = std::max(names[i].y, names[i - 1].y + label_height);
    }
    double lowest = top + height;
    for (auto name = names.rbegin(); name != names.rend(); ++name) {
      name->y = std::min(name->y, lowest);
      lowest = name->y - label_height;
    }
    for (const Name& name : names) {
      const char* colour = colour_of(name.series);
      const double end_x = place_x(chart_.series[name.series].points.back().first);
      out_ << "<path d=\"M" << end_x + 6 << " " << name.end << " L" << left + width + 16 << " "
           << name.y << "\" stroke=\"" << colour
           << "\" stroke-opacity=\"0.45\" stroke-dasharray=\"2 2\" fill=\"none\"/>\n";
      text(left + width + 20, name.y + 4, chart_.series[name.series].name,
           concat("font-size=\"13\" font-weight=\"bold\" fill=\"", colour, "\""));
    }
  }

  const Chart& chart_;
  std::vector<double> xs_;
  double low_ = 1;
  double high_ = 1;
  std::ostringstream out_;
};

}  // namespace

std::string draw_chart(const Chart& chart) {
  return ChartPicture(chart).draw();
}

}  // namespace rondo::cli
