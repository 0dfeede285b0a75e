// A schedule as a space-time diagram: ranks down, rounds across. A value travels along a curve in
// its segment's colour and ends in a badge with the segment's number.

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>
#include <sstream>

#include "base/text.hpp"
#include "check/scene.hpp"

namespace rondo {

namespace {

constexpr double left = 96;  // of the first round
constexpr double top = 118;  // of the first rank's line
constexpr double row_height = 52;
constexpr double tail = 26;        // from the begin of a round to the tails of its arrows
constexpr double head = 30;        // from the last badge of a round to its end
constexpr double badge_step = 28;  // between two badges on one line
constexpr double flight = 84;      // the least width that an arrow crosses
constexpr double radius = 10;
constexpr double margin = 28;
constexpr double least_width = 600;  // room for the legend

struct Style {
  std::string fill;
  std::string stroke;
  std::string text;
};

// Evenly spread hues, at a lightness on which white digits can be read.
std::string colour_of(std::uint32_t segment, std::uint32_t segments) {
  const double hue = std::fmod(212 + 360.0 * segment / std::max(1u, segments), 360);
  const double saturation = 0.62;
  const double lightness = hue > 40 && hue < 190 ? 0.36 : 0.48;
  std::ostringstream out;
  out << '#' << std::hex << std::setfill('0');
  for (const double shift : {0.0, 8.0, 4.0}) {
    const double k = std::fmod(shift + hue / 30, 12);
    const double spread = saturation * std::min(lightness, 1 - lightness);
    const double level = lightness - spread * std::max(-1.0, std::min({k - 3, 9 - k, 1.0}));
    out << std::setw(2) << static_cast<int>(std::lround(255 * level));
  }
  return out.str();
}

class Picture {
 public:
  explicit Picture(const Scene& scene) : scene_(scene) { place_rounds(); }

  std::string draw() {
    const double bottom = line_of(scene_.ranks - 1) + row_height / 2;
    const double width = std::max(round_begin_.back() + margin, least_width);
    const double height = bottom + 68;
    out_ << std::fixed << std::setprecision(1);
    out_ << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width << "\" height=\""
         << height << "\" viewBox=\"0 0 " << width << " " << height
         << "\" font-family=\"Inter, Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n"
         << "<title>" << scene_.title << "</title>\n"
         << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    text(margin, 36, scene_.title, "font-size=\"19\" font-weight=\"bold\" fill=\"#1d2433\"");
    text(margin, 57, scene_.subtitle, "font-size=\"13\" fill=\"#667085\"");
    draw_grid(bottom);
    for (const Arrow& arrow : scene_.arrows) draw_curve(arrow);
    badges_.clear();
    for (const Arrow& arrow : scene_.arrows) draw_badge(arrow);
    draw_legend(bottom + 36);
    out_ << "</svg>\n";
    return out_.str();
  }

 private:
  using Place = std::pair<int, std::uint32_t>;  // rank and round

  // A round is as wide as the most badges on one line in it ask for.
  void place_rounds() {
    std::map<Place, int> badges;
    std::vector<int> most(scene_.rounds + 1, 1);
    for (const Arrow& arrow : scene_.arrows) {
      const int count = ++badges[{arrow.to, arrow.round}];
      most[arrow.round] = std::max(most[arrow.round], count);
    }
    round_begin_ = {left, left};  // round 0 has no width
    for (std::uint32_t round = 1; round <= scene_.rounds; ++round) {
      round_begin_.push_back(round_begin_.back() + tail + flight + head +
                             badge_step * (most[round] - 1));
      first_badge_.push_back(round_begin_[round] + tail + flight);
    }
  }

  double line_of(int rank) const { return top + row_height * rank; }
  double end_of(std::uint32_t round) const { return round_begin_[round + 1]; }
  double next_badge(const Arrow& arrow) {
    const int slot = badges_[{arrow.to, arrow.round}]++;
    return (arrow.round == 0 ? left : first_badge_[arrow.round - 1]) + badge_step * slot;
  }

  void text(double x, double y, std::string_view words, std::string_view attributes) {
    out_ << "<text x=\"" << x << "\" y=\"" << y << "\" " << attributes << ">" << words
         << "</text>\n";
  }

  void draw_grid(double bottom) {
    const double roof = top - row_height / 2;
    for (std::uint32_t round = 1; round <= scene_.rounds; ++round) {
      const double begin = round_begin_[round];
      if (round % 2 == 1) {
        out_ << "<rect x=\"" << begin << "\" y=\"" << roof << "\" width=\"" << end_of(round) - begin
             << "\" height=\"" << bottom - roof << "\" fill=\"#f5f6fa\"/>\n";
      }
      text((begin + end_of(round)) / 2, roof - 7, concat("round ", round),
           "font-size=\"11\" fill=\"#98a2b3\" text-anchor=\"middle\"");
    }
    for (int rank = 0; rank < scene_.ranks; ++rank) {
      const double y = line_of(rank);
      text(margin, y + 4.5, concat("rank ", rank), "font-size=\"13\" fill=\"#344054\"");
      out_ << "<line x1=\"" << left << "\" y1=\"" << y << "\" x2=\"" << round_begin_.back()
           << "\" y2=\"" << y << "\" stroke=\"#d0d5dd\"/>\n";
    }
  }

  void draw_curve(const Arrow& arrow) {
    const double x2 = next_badge(arrow) - radius;
    if (arrow.is_local()) return;
    const double x1 = round_begin_[arrow.round] + tail;
    const double y1 = line_of(arrow.from);
    const double y2 = line_of(arrow.to);
    const double bend = (x2 - x1) * 0.55;
    const std::string colour = colour_of(arrow.segment, scene_.segments);
    out_ << "<path d=\"M" << x1 << " " << y1 << " C" << x1 + bend << " " << y1 << " " << x2 - bend
         << " " << y2 << " " << x2 - 5 << " " << y2 << "\" fill=\"none\" stroke=\"" << colour
         << "\" stroke-width=\"1.8\" stroke-opacity=\"0.85\"/>\n"
         << "<circle cx=\"" << x1 << "\" cy=\"" << y1 << "\" r=\"3\" fill=\"" << colour << "\"/>\n"
         << "<path d=\"M" << x2 - 7 << " " << y2 - 4 << " L" << x2 << " " << y2 << " L" << x2 - 7
         << " " << y2 + 4 << " Z\" fill=\"" << colour << "\"/>\n";
  }

  void draw_badge(const Arrow& arrow) {
    badge(next_badge(arrow), line_of(arrow.to), arrow.label(),
          colour_of(arrow.segment, scene_.segments), arrow.adds, arrow.completes);
  }

  // Hollow: a partial sum; solid: a value as it was sent; with a halo: the sum has become complete.
  void badge(double x, double y, const std::string& label, const std::string& colour, bool adds,
             bool completes) {
    const bool hollow = adds && !completes;
    if (completes) {
      out_ << "<circle cx=\"" << x << "\" cy=\"" << y << "\" r=\"" << radius + 3
           << "\" fill=\"#ffffff\" stroke=\"" << colour << "\" stroke-width=\"1.6\"/>\n";
    }
    out_ << "<circle cx=\"" << x << "\" cy=\"" << y << "\" r=\"" << radius << "\" fill=\""
         << (hollow ? "#ffffff" : colour) << "\" stroke=\"" << colour
         << "\" stroke-width=\"1.8\"/>\n";
    const char* size = label.size() < 3 ? "11" : "8";
    text(x, y + (label.size() < 3 ? 4 : 3), label,
         concat("font-size=\"", size, "\" font-weight=\"bold\" text-anchor=\"middle\" fill=\"",
                hollow ? colour : "#ffffff", "\""));
  }

  void draw_legend(double y) {
    constexpr const char* grey = "#667085";
    double x = margin + radius;
    const auto entry = [&](bool adds, bool completes, const char* words, double width) {
      badge(x, y, "s", grey, adds, completes);
      text(x + 19, y + 4, words, concat("font-size=\"12\" fill=\"", grey, "\""));
      x += width;
    };
    entry(false, false, "segment s, as sent", 160);
    entry(true, false, "added to a partial sum", 186);
    entry(true, true, "the sum is complete", 0);
  }

  const Scene& scene_;
  std::vector<double> round_begin_;  // of rounds 0…rounds, and the end of the last
  std::vector<double> first_badge_;  // of rounds 1…rounds
  std::map<Place, int> badges_;      // drawn so far
  std::ostringstream out_;
};

}  // namespace

Result<std::string> draw_svg(const Schedule& schedule) {
  const Result<Scene> scene = scene_of(schedule);
  if (!scene) return scene.error();
  return Picture(scene.value()).draw();
}

}  // namespace rondo
