// Hosts side by side, their packages below each other, ranks as dots in rows. A hop between
// neighbours in a row is short; any other swings out to the side. The second tree is dashed, and
// swings to the other side.

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"
#include "plan/draw_routes.hpp"

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

class Picture {
 public:
  explicit Picture(const RouteMap& map) : map_(map), at_(static_cast<std::size_t>(map.ranks)) {
    place();
  }

  std::string draw() {
    const double height = bottom_ + margin + legend_row * static_cast<double>(map_.paths.size());
    out_ << std::fixed << std::setprecision(1);
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width_ << "\" height=\""
         << height << "\" viewBox=\"0 0 " << width_ << " " << height
         << "\" font-family=\"Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n"
         << "<title>" << map_.title << "</title>\n"
         << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    text({margin, 42}, map_.title, "font-size=\"19\" font-weight=\"bold\" fill=\"#1d2433\"");
    for (const Box& box : boxes_) draw_box(box);
    for (std::size_t i = 0; i < map_.routes.size(); ++i) draw_hops(map_.routes[i], i > 0);
    for (const Visit& visit : map_.visits) {
      for (const int rank : visit.ranks) draw_rank(rank);
    }
    draw_legend();
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  // Visits of one host stand together; a ring that comes back to a host later gets a new box.
  void place() {
    std::size_t most = 1;
    for (const Visit& visit : map_.visits) most = std::max(most, visit.ranks.size());
    const auto columns = static_cast<int>(std::min<std::size_t>(most, most_in_row));
    const double inner = spacing * columns;
    const double host_width = inner + 2 * gap;
    Point corner{margin, top};
    double lowest = top;
    int hosts = 0;
    for (std::size_t i = 0; i < map_.visits.size();) {
      if (hosts > 0 && hosts % hosts_in_row == 0) corner = {margin, lowest + gap};
      std::size_t end = i;
      double y = corner.y + heading + 8;
      const std::size_t host_box = boxes_.size();
      boxes_.push_back({corner, host_width, 0, concat("host ", map_.visits[i].host), true});
      while (end < map_.visits.size() && map_.visits[end].host == map_.visits[i].host) {
        y = place_visit(map_.visits[end], {corner.x + gap / 2, y}, inner + gap, columns);
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
  double place_visit(const Visit& visit, Point corner, double width, int columns) {
    const auto count = static_cast<int>(visit.ranks.size());
    const int rows = (count + columns - 1) / columns;
    const double height = heading + spacing * rows + 6;
    boxes_.push_back({corner, width, height,
                      visit.package == unknown ? "" : concat("package ", visit.package), false});
    for (int i = 0; i < count; ++i) {
      const int row = i / columns;
      // Rows alternate in direction, so that the ring goes on at the end where it is.
      const int column = row % 2 == 0 ? i % columns : columns - 1 - i % columns;
      at(visit.ranks[static_cast<std::size_t>(i)]) = {
          corner.x + gap / 2 + spacing * (column + 0.5),
          corner.y + heading + spacing * (row + 0.5) - 4};
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

  void draw_hops(const Route& route, bool is_second) {
    for (const Hop& hop : route.hops) {
      if (hop.from == hop.to) continue;
      const Point from = at(hop.from);
      const Point to = at(hop.to);
      const double dx = to.x - from.x;
      const double dy = to.y - from.y;
      // Longer hops swing out further, those of a route all to the same side.
      const double length = std::hypot(dx, dy);
      const double out = length <= spacing * 1.01 && !is_second ? 0 : 14 + length / 7;
      const double swing = is_second ? -out : out;
      const Point middle{(from.x + to.x) / 2 - dy / length * swing,
                         (from.y + to.y) / 2 + dx / length * swing};
      out_ << "<path d=\"M" << from.x << " " << from.y << " Q" << middle.x << " " << middle.y << " "
           << to.x << " " << to.y << "\" fill=\"none\" stroke=\"" << colour_of(hop.path)
           << "\" stroke-width=\"3\"" << (is_second ? " stroke-dasharray=\"5 4\"" : "") << "/>\n";
    }
  }

  void draw_rank(int rank) {
    const Point centre = at(rank);
    const bool is_first = std::any_of(map_.routes.begin(), map_.routes.end(),
                                      [&](const Route& route) { return route.first == rank; });
    out_ << "<circle cx=\"" << centre.x << "\" cy=\"" << centre.y << "\" r=\"" << radius
         << "\" fill=\"" << (is_first ? "#1d2433" : "#475467") << "\"/>\n";
    text({centre.x, centre.y + 4}, std::to_string(rank),
         "font-size=\"11\" fill=\"#ffffff\" text-anchor=\"middle\"");
  }

  void draw_legend() {
    Point corner{margin, bottom_ + margin};
    for (const auto& [path, count] : map_.paths) {
      out_ << "<rect x=\"" << corner.x << "\" y=\"" << corner.y - 7
           << "\" width=\"26\" height=\"4\" fill=\"" << colour_of(path) << "\"/>\n";
      text({corner.x + 36, corner.y}, concat(count, " × ", name(path), ": ", meaning(path)),
           "font-size=\"12\" fill=\"#475467\"");
      corner.y += legend_row;
    }
  }

  Point& at(int rank) { return at_[static_cast<std::size_t>(rank)]; }

  const RouteMap& map_;
  std::vector<Box> boxes_;
  std::vector<Point> at_;  // by rank
  double width_ = 420;
  double bottom_ = top;
  std::ostringstream out_;
};

}  // namespace

std::string draw_routes_svg(const RouteMap& map) {
  return Picture(map).draw();
}

}  // namespace rondo
