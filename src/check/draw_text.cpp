// A schedule as a table: one row a rank, one column a round.

#include <algorithm>

#include "base/text.hpp"
#include "check/scene.hpp"

namespace rondo {

namespace {

using Row = std::vector<std::string>;

void note(std::string& cell, std::string_view text) {
  if (!cell.empty()) cell += " ";
  cell += text;
}

std::vector<Row> table_of(const Scene& scene) {
  std::vector<Row> rows(static_cast<std::size_t>(scene.ranks) + 1, Row(scene.rounds + 1));
  rows[0][0] = "round";
  for (std::uint32_t round = 1; round <= scene.rounds; ++round) rows[0][round] = concat(round);
  for (int rank = 0; rank < scene.ranks; ++rank) rows[rank + 1][0] = concat("rank ", rank);
  for (const Arrow& arrow : scene.arrows) {
    if (arrow.is_local()) continue;
    note(rows[arrow.from + 1][arrow.round], concat("[", arrow.label(), "]→", arrow.to));
  }
  for (const Arrow& arrow : scene.arrows) {
    const std::string_view sign = arrow.completes ? "*" : arrow.adds ? "+" : "";
    note(rows[arrow.to + 1][arrow.round], arrow.is_local()
                                              ? concat("Σ[", arrow.label(), "]", sign)
                                              : concat("[", arrow.label(), "]←", arrow.from, sign));
  }
  return rows;
}

}  // namespace

Result<std::string> draw_text(const Schedule& schedule) {
  const Result<Scene> scene = scene_of(schedule);
  if (!scene) return scene.error();
  std::string text = concat(scene.value().title, ": ", scene.value().subtitle, "\n\n");
  const std::vector<Row> rows = table_of(scene.value());
  std::vector<std::size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - width_of(row[i]) + 3, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text +
         "\n[3]→1 sends segment 3 to rank 1; [3]←0 receives it from rank 0, [3]←0+ adds to it,\n"
         "[3]←0* adds the last part; Σ[3]* adds what has been collected\n";
}

}  // namespace rondo
