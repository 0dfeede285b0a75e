#include "check/folding.hpp"

#include <algorithm>

namespace rondo {

namespace {

// Segments in the steps of programs that are made to compare all ranks; a second of work.
constexpr std::uint64_t most_compared_segments = 1 << 22;

// What it takes to make a program: a step may be about a run of very many segments.
std::uint64_t segments_in(const Program& program) {
  std::uint64_t segments = 0;
  for (const Step& step : program.steps) segments += step.count;
  return segments;
}

int distance(const Program& program, const Step& step) {
  return (step.peer - program.rank + program.plan.ranks) % program.plan.ranks;
}

bool is_shifted(const Program& a, const Step& x, const Program& b, const Step& y) {
  if (x.op != y.op || x.flags != y.flags || x.channel != y.channel || x.count != y.count ||
      x.waits != y.waits || x.publication() != y.publication() || (x.peer < 0) != (y.peer < 0)) {
    return false;
  }
  return x.peer < 0 || distance(a, x) == distance(b, y);
}

enum class Compare { all, sample, first };

// How many periods away the images are that are compared with the original.
std::vector<int> compared_images(int images, Compare compare) {
  if (compare == Compare::first) return {1};
  std::vector<int> compared;
  for (int image = 1; image < images; image = compare == Compare::all ? image + 1 : image * 2) {
    compared.push_back(image);
  }
  if (compared.back() != images - 1) compared.push_back(images - 1);
  return compared;
}

}  // namespace

bool is_shifted(const Program& original, const Program& image) {
  if (original.lane_end != image.lane_end) return false;
  for (std::size_t i = 0; i < original.steps.size(); ++i) {
    if (!is_shifted(original, original.steps[i], image, image.steps[i])) return false;
  }
  return true;
}

std::optional<std::vector<Program>> fold(const Plan& plan, int period) {
  if (period <= 0 || period >= plan.ranks || plan.ranks % period != 0) return std::nullopt;
  // With weights, ranks that do the same take unequally long.
  if (plan.arrangement && !plan.arrangement->weights().empty()) return std::nullopt;
  std::vector<Program> programs;
  for (int rank = 0; rank < period; ++rank) {
    Result<Program> program = make_program(plan, rank);
    if (!program) return std::nullopt;
    const std::uint64_t segments =
        segments_in(program.value()) * static_cast<std::uint64_t>(plan.ranks);
    const Compare compare = segments <= most_compared_segments ? Compare::all
                            : rank == 0                        ? Compare::sample
                                                               : Compare::first;
    for (const int image : compared_images(plan.ranks / period, compare)) {
      const Result<Program> other = make_program(plan, rank + image * period);
      if (!other || !is_shifted(program.value(), other.value())) return std::nullopt;
    }
    programs.push_back(std::move(program).value());
  }
  return programs;
}

}  // namespace rondo
