#include <algorithm>
#include <span>
#include <sstream>
#include <utility>

#include "base/text.hpp"
#include "plan/draw_routes.hpp"

namespace rondo {

namespace {

constexpr std::size_t widest = 96;  // columns
const std::string indent(20, ' ');

std::string in_column(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 1), ' ');
  return text;
}

std::string times_text(int count) {
  return concat(count, count == 1 ? " time" : " times");
}

// "0 ─NVL─ 1 ─NVL─ 2", in lines that begin at the same column.
std::string chain_text(int first, std::span<const Hop> hops) {
  std::string text = std::to_string(first);
  std::size_t column = indent.size() + text.size();
  for (const Hop& hop : hops) {
    const std::string rank = std::to_string(hop.to);
    const std::string_view path = name(hop.path);
    const std::size_t width = path.size() + rank.size() + 4;
    if (column + width > widest) {
      text += concat("\n", indent);
      column = indent.size();
    }
    text += concat(column == indent.size() ? "" : " ", "─", path, "─ ", rank);
    column += width;
  }
  return text;
}

// "host 1   package 0  ", without what the line before has said of the host.
class Margin {
 public:
  std::string of(int host, int package) {
    const std::string named = host == host_ ? "" : concat("host ", host);
    host_ = host;
    return in_column(named, 9) +
           in_column(package == unknown ? "" : concat("package ", package), 11);
  }

 private:
  int host_ = unknown;
};

void draw_ring(std::ostream& out, const RouteMap& map) {
  const Route& ring = map.routes.front();
  Margin margin;
  std::size_t next = 0;  // hop
  for (const Visit& visit : map.visits) {
    const std::size_t inside = visit.ranks.size() - 1;
    const std::span<const Hop> hops = std::span(ring.hops).subspan(next, inside);
    next += inside + 1;
    out << margin.of(visit.host, visit.package) << chain_text(visit.ranks.front(), hops) << "\n"
        << indent << "│ " << name(ring.hops[next - 1].path) << "\n";
  }
  out << indent << ring.first << " again\n";
}

class TreeText {
 public:
  explicit TreeText(const RouteMap& map)
      : places_(static_cast<std::size_t>(map.ranks)), children_(places_.size()) {
    for (std::size_t i = 0; i < map.visits.size(); ++i) {
      const Visit& visit = map.visits[i];
      for (const int rank : visit.ranks) place(rank) = {visit.host, visit.package};
    }
  }

  void draw(std::ostream& out, const Route& tree) {
    for (std::vector<Hop>& hops : children_) hops.clear();
    for (const Hop& hop : tree.hops) children(hop.from).push_back(hop);
    Margin margin;
    std::vector<Hop> waiting = {{unknown, tree.first, PathClass::self}};
    while (!waiting.empty()) {
      const Hop first = waiting.back();
      waiting.pop_back();
      const std::vector<Hop> line = line_from(first, waiting);
      const auto [host, package] = place(first.to);
      out << margin.of(host, package)
          << (first.from == unknown ? chain_text(first.to, std::span(line).subspan(1))
                                    : chain_text(first.from, line))
          << "\n";
    }
  }

 private:
  std::pair<int, int>& place(int rank) { return places_[static_cast<std::size_t>(rank)]; }
  std::vector<Hop>& children(int rank) { return children_[static_cast<std::size_t>(rank)]; }

  // From child to child, over the nearest path, as long as there is one in the same package. The
  // others wait: those of the first rank come first.
  std::vector<Hop> line_from(Hop hop, std::vector<Hop>& waiting) {
    std::vector<Hop> line = {hop};
    std::vector<Hop> others;
    while (true) {
      const std::vector<Hop>& all = children(line.back().to);
      auto onward = all.end();
      for (auto one = all.begin(); one != all.end(); ++one) {
        if (place(one->to) != place(hop.to)) continue;
        if (onward == all.end() || one->path < onward->path) onward = one;
      }
      for (auto one = all.begin(); one != all.end(); ++one) {
        if (one != onward) others.push_back(*one);
      }
      if (onward == all.end()) break;
      line.push_back(*onward);
    }
    waiting.insert(waiting.end(), others.rbegin(), others.rend());
    return line;
  }

  std::vector<std::pair<int, int>> places_;  // host and package, by rank
  std::vector<std::vector<Hop>> children_;
};

void draw_trees(std::ostream& out, const RouteMap& map) {
  TreeText text(map);
  for (std::size_t i = 0; i < map.routes.size(); ++i) {
    const Route& tree = map.routes[i];
    out << (i == 0 ? "" : "\n");
    if (map.routes.size() > 1) out << "tree " << i + 1 << " of " << map.routes.size() << ", ";
    out << "from rank " << tree.first << "\n";
    text.draw(out, tree);
  }
}

}  // namespace

std::string draw_routes_text(const RouteMap& map) {
  std::ostringstream out;
  out << map.title << "\n\n";
  map.is_ring ? draw_ring(out, map) : draw_trees(out, map);
  out << "\n";
  if (!map.crossings.empty()) out << "crosses:\n";
  for (const auto& [what, times, fewest] : map.crossings) {
    out << "  " << in_column(what, 18) << times_text(times)
        << (times == fewest ? ", as few as can be" : concat("; ", fewest, " would be the fewest"))
        << "\n";
  }
  out << "paths:\n";
  for (const auto& [path, count] : map.paths) {
    out << "  " << in_column(concat(count, " × ", name(path)), 18) << meaning(path) << "\n";
  }
  return out.str();
}

}  // namespace rondo
