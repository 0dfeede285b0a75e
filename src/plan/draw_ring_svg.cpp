// Hosts side by side, their packages below each other, ranks as dots in rows. An edge between
// neighbours in a row is short; any other swings out to the side.

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"
#include "plan/draw_ring.hpp"
#include "plan/ring_route.hpp"

namespace rondo {

namespace {

constexpr int most_in_row = 8;
constexpr int hosts_in_row = 4;
constexpr double spacing = 46;  // between dots
constexpr double radius = 13;
constexpr double margin = 28;
constexpr double heading = 24;  // of a box
constexpr double gap = 26;      // between boxes
constexpr double top = 84;
constexpr double legend_row = 22;

struct Point {
  double x = 0;
  double y = 0;
};

struct Box {
  Point corner;
  double width = 0;
  double height = 0;
  std::string label;
  bool is_host = false;
};

// From near and fast, in cool colours, to far and slow, in warm ones.
std::string_view colour_of(PathClass path) {
  static constexpr std::array<std::string_view, path_class_count> colours = {
      "#98a2b3", "#0e9384", "#0e9384", "#1570ef", "#1570ef", "#1570ef",
      "#0e9384", "#12b76a", "#12b76a", "#2e90fa", "#53b1fd", "#6172f3",
      "#7a5af8", "#dc6803", "#7a5af8", "#e31b54", "#b42318"};
  return colours[static_cast<std::size_t>(path)];
}

class RingPicture {
 public:
  explicit RingPicture(RingRoute route) : route_(std::move(route)) { place(); }

  std::string draw() {
    const double height = bottom_ + margin + legend_row * static_cast<double>(route_.paths.size());
    out_ << std::fixed << std::setprecision(1);
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width_ << "\" height=\""
         << height << "\" viewBox=\"0 0 " << width_ << " " << height
         << "\" font-family=\"Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n"
         << "<title>" << route_.title << "</title>\n"
         << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    text({margin, 42}, route_.title, "font-size=\"19\" font-weight=\"bold\" fill=\"#1d2433\"");
    for (const Box& box : boxes_) draw_box(box);
    draw_edges();
    for (std::size_t i = 0; i < stops_.size(); ++i) draw_stop(i);
    draw_legend();
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  struct PlacedStop {
    RingStop stop;
    Point at;
  };

  // Visits of one host stand together; a ring that comes back to a host later gets a new box.
  void place() {
    std::size_t most = 1;
    for (const RingVisit& visit : route_.visits) most = std::max(most, visit.stops.size());
    const auto columns = static_cast<int>(std::min<std::size_t>(most, most_in_row));
    const double inner = spacing * columns;
    const double host_width = inner + 2 * gap;
    Point corner{margin, top};
    double lowest = top;
    int hosts = 0;
    for (std::size_t i = 0; i < route_.visits.size();) {
      if (hosts > 0 && hosts % hosts_in_row == 0) corner = {margin, lowest + gap};
      std::size_t end = i;
      double y = corner.y + heading + 8;
      const std::size_t host_box = boxes_.size();
      boxes_.push_back({corner, host_width, 0, concat("host ", route_.visits[i].host), true});
      while (end < route_.visits.size() && route_.visits[end].host == route_.visits[i].host) {
        y = place_visit(route_.visits[end], {corner.x + gap / 2, y}, inner + gap, columns);
        ++end;
      }
      boxes_[host_box].height = y - corner.y;
      lowest = std::max(lowest, y);
      width_ = std::max(width_, corner.x + host_width + margin);
      corner.x += host_width + gap;
      i = end;
      ++hosts;
    }
    bottom_ = lowest;
  }

  // Where the next box may begin.
  double place_visit(const RingVisit& visit, Point corner, double width, int columns) {
    const auto count = static_cast<int>(visit.stops.size());
    const int rows = (count + columns - 1) / columns;
    const double height = heading + spacing * rows + 6;
    boxes_.push_back({corner, width, height,
                      visit.package == unknown ? "" : concat("package ", visit.package), false});
    for (int i = 0; i < count; ++i) {
      const int row = i / columns;
      // Rows alternate in direction, so that the ring goes on at the end where it is.
      const int column = row % 2 == 0 ? i % columns : columns - 1 - i % columns;
      stops_.push_back({visit.stops[static_cast<std::size_t>(i)],
                        {corner.x + gap / 2 + spacing * (column + 0.5),
                         corner.y + heading + spacing * (row + 0.5) - 4}});
    }
    return corner.y + height + 12;
  }

  void text(Point at, std::string_view words, std::string_view style) {
    if (words.empty()) return;
    out_ << "<text x=\"" << at.x << "\" y=\"" << at.y << "\" " << style << ">" << words
         << "</text>\n";
  }

  void draw_box(const Box& box) {
    out_ << "<rect x=\"" << box.corner.x << "\" y=\"" << box.corner.y << "\" width=\"" << box.width
         << "\" height=\"" << box.height << "\" rx=\"8\" fill=\""
         << (box.is_host ? "#f9fafb" : "#ffffff") << "\" stroke=\"#d0d5dd\"/>\n";
    text({box.corner.x + 12, box.corner.y + 18}, box.label,
         box.is_host ? "font-size=\"13\" font-weight=\"bold\" fill=\"#344054\""
                     : "font-size=\"11\" fill=\"#667085\"");
  }

  void draw_edges() {
    if (stops_.size() < 2) return;
    for (std::size_t i = 0; i < stops_.size(); ++i) {
      const Point from = stops_[i].at;
      const Point to = stops_[(i + 1) % stops_.size()].at;
      const double dx = to.x - from.x;
      const double dy = to.y - from.y;
      // Longer edges swing out further, all to the same side.
      const double length = std::hypot(dx, dy);
      const double swing = length <= spacing * 1.01 ? 0 : 14 + length / 7;
      const Point middle{(from.x + to.x) / 2 - dy / length * swing,
                         (from.y + to.y) / 2 + dx / length * swing};
      out_ << "<path d=\"M" << from.x << " " << from.y << " Q" << middle.x << " " << middle.y << " "
           << to.x << " " << to.y << "\" fill=\"none\" stroke=\""
           << colour_of(stops_[i].stop.onward) << "\" stroke-width=\"3\"/>\n";
    }
  }

  void draw_stop(std::size_t index) {
    const auto& [stop, at] = stops_[index];
    out_ << "<circle cx=\"" << at.x << "\" cy=\"" << at.y << "\" r=\"" << radius << "\" fill=\""
         << (index == 0 ? "#1d2433" : "#475467") << "\"/>\n";
    text({at.x, at.y + 4}, std::to_string(stop.rank),
         "font-size=\"11\" fill=\"#ffffff\" text-anchor=\"middle\"");
  }

  void draw_legend() {
    Point at{margin, bottom_ + margin};
    for (const auto& [path, count] : route_.paths) {
      out_ << "<rect x=\"" << at.x << "\" y=\"" << at.y - 7
           << "\" width=\"26\" height=\"4\" fill=\"" << colour_of(path) << "\"/>\n";
      text({at.x + 36, at.y}, concat(count, " × ", name(path), ": ", meaning(path)),
           "font-size=\"12\" fill=\"#475467\"");
      at.y += legend_row;
    }
  }

  RingRoute route_;
  std::vector<Box> boxes_;
  std::vector<PlacedStop> stops_;
  double width_ = 420;
  double bottom_ = top;
  std::ostringstream out_;
};

}  // namespace

std::string draw_ring_svg(const Topology& topology, const Arrangement& arrangement) {
  return RingPicture(route_of(topology, arrangement)).draw();
}

}  // namespace rondo
