#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

#include "base/text.hpp"
#include "rondo/schedule.hpp"
#include "schedule/builder.hpp"
#include "schedule/generators.hpp"
#include "schedule/line.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

constexpr std::array<std::string_view, algorithm_count> names_of_algorithms = {"automatic",
                                                                               "ring",
                                                                               "double_tree",
                                                                               "one_shot",
                                                                               "two_shot",
                                                                               "knomial",
                                                                               "circulant",
                                                                               "recursive_doubling",
                                                                               "halving_doubling",
                                                                               "chain",
                                                                               "scatter_allgather",
                                                                               "pairwise",
                                                                               "bruck",
                                                                               "two_level",
                                                                               "chain_tree"};

}  // namespace

std::string_view name(Algorithm algorithm) {
  return names_of_algorithms[static_cast<std::size_t>(algorithm)];
}

std::string algorithm_names(std::optional<Collective> collective) {
  return all_names<Algorithm>(algorithm_count, [&](Algorithm algorithm) {
    return algorithm != Algorithm::automatic &&
           (!collective || is_supported(algorithm, *collective));
  });
}

std::optional<Algorithm> parse_algorithm(std::string_view text) {
  for (int i = 0; i < algorithm_count; ++i) {
    if (names_of_algorithms[i] == text) return static_cast<Algorithm>(i);
  }
  return std::nullopt;
}

namespace {

struct Generator {
  Program (*make)(const Plan& plan, int rank) = nullptr;
  std::vector<Collective> collectives = {};
  Arranged arranged =
      Arranged::never;  // where blocks and prefixes do not tie ranks to their numbers
};

const Generator& generator_of(Algorithm algorithm) {
  using enum Collective;
  static const std::array<Generator, algorithm_count> generators = {{
      {},  // automatic
      {&ring, {allreduce, allgather, reduce_scatter}, Arranged::by_itself},
      {&double_tree, {allreduce, broadcast, reduce, barrier}, Arranged::along_line},
      {&direct,
       {allreduce, allgather, reduce_scatter, barrier, gather, scatter, alltoall}},  // one_shot
      {&direct, {allreduce}},                                                        // two_shot
      {&knomial, {allreduce, broadcast, reduce, barrier, gather, scatter}, Arranged::along_line},
      {&circulant, {allreduce, allgather, reduce_scatter}, Arranged::along_line},
      {&recursive_doubling, {allreduce, barrier, scan, exscan}, Arranged::along_line},
      {&halving_doubling, {allreduce}, Arranged::along_line},
      {&chain, {broadcast, reduce, scan, exscan}, Arranged::along_line},
      {&scatter_allgather, {broadcast}, Arranged::along_line},
      {&pairwise, {alltoall}},
      {&bruck, {alltoall}},
      {&two_level, {allreduce}, Arranged::by_itself},
      {&chain_tree, {allreduce, broadcast, reduce}, Arranged::by_itself},
  }};
  return generators[static_cast<std::size_t>(algorithm)];
}

}  // namespace

bool is_supported(Algorithm algorithm, Collective collective) {
  const std::vector<Collective>& collectives = generator_of(algorithm).collectives;
  return std::find(collectives.begin(), collectives.end(), collective) != collectives.end();
}

Arranged arranged(Algorithm algorithm, Collective collective) {
  const Arranged any = generator_of(algorithm).arranged;
  const bool numbers_matter = has_blocks(collective) || reduces_prefix(collective);
  return any == Arranged::along_line && numbers_matter ? Arranged::never : any;
}

bool is_supported_uneven(Algorithm algorithm, Collective collective) {
  if (!is_supported(algorithm, collective)) return false;
  switch (collective) {
    case Collective::allgather:
    case Collective::reduce_scatter:
      return true;
    case Collective::gather:
    case Collective::scatter:
    case Collective::alltoall:
      return algorithm == Algorithm::one_shot || algorithm == Algorithm::pairwise;
    default:
      return false;
  }
}

bool operator==(const Plan& a, const Plan& b) {
  const auto members = [](const Plan& p) {
    return std::tie(p.algorithm, p.collective, p.ranks, p.root, p.radix, p.channels);
  };
  if (members(a) != members(b)) return false;
  if (a.arrangement == b.arrangement) return true;
  if (a.arrangement && b.arrangement) return *a.arrangement == *b.arrangement;
  return a.arrangement ? a.arrangement->is_plain() : b.arrangement->is_plain();
}

std::uint32_t Program::segments_of(Buffer buffer) const {
  const std::uint32_t whole = shape.blocks * shape.segments;
  const Collective collective = plan.collective;
  const bool is_root = rank == plan.root;
  switch (buffer) {
    case Buffer::in:
      if (collective == Collective::broadcast || collective == Collective::scatter) {
        return is_root ? whole : 0;
      }
      return gives_own_block(collective) ? shape.segments : whole;
    case Buffer::out:
      if (collective == Collective::reduce || collective == Collective::gather) {
        return is_root ? whole : 0;
      }
      if (collective == Collective::exscan && rank == 0) return 0;
      return gets_own_block(collective) ? shape.segments : whole;
    case Buffer::scratch:
      return shape.scratch;
  }
  return 0;
}

std::uint32_t Program::first_segment_of(Buffer buffer) const {
  if (buffer == Buffer::scratch) return shape.mirror_first;
  const bool own_block =
      buffer == Buffer::in ? gives_own_block(plan.collective) : gets_own_block(plan.collective);
  return own_block ? static_cast<std::uint32_t>(rank) * shape.segments : 0;
}

Result<> check_plan(const Plan& plan) {
  const auto refuse = [](ErrorCode code, std::string text) { return Error(code, std::move(text)); };
  if (plan.ranks < 1 || plan.ranks > max_ranks) {
    return refuse(ErrorCode::invalid_argument,
                  concat("a plan is for 1 to ", max_ranks, " ranks, not ", plan.ranks));
  }
  if (plan.root < 0 || plan.root >= plan.ranks || (plan.root != 0 && !is_rooted(plan.collective))) {
    return refuse(ErrorCode::invalid_argument,
                  concat("root ", plan.root, " does not fit ", name(plan.collective), " of ",
                         plan.ranks, " ranks"));
  }
  if (plan.radix < 2 || plan.radix > max_radix) {
    return refuse(ErrorCode::invalid_argument,
                  concat("radix must be between 2 and ", max_radix, ", not ", plan.radix));
  }
  if (plan.channels < 1 || plan.channels > max_channels) {
    return refuse(ErrorCode::invalid_argument,
                  concat("channels must be between 1 and ", max_channels, ", not ", plan.channels));
  }
  if (plan.arrangement && plan.arrangement->ranks() != plan.ranks) {
    return refuse(ErrorCode::invalid_argument,
                  concat("an arrangement of ", plan.arrangement->ranks(),
                         " ranks does not fit a plan of ", plan.ranks));
  }
  if (plan.algorithm == Algorithm::automatic) {
    return refuse(ErrorCode::unsupported, "the planner has to choose an algorithm first");
  }
  if (!is_supported(plan.algorithm, plan.collective)) {
    return refuse(ErrorCode::unsupported,
                  concat("there is no ", name(plan.algorithm), " ", name(plan.collective)));
  }
  return check_parts(plan);
}

Program alone(const Plan& plan) {
  ProgramBuilder build(plan, 0, Shape{});
  if (plan.collective != Collective::exscan) build.copy(0, in(0), out(0));
  return std::move(build).finish();
}

namespace {

Program make_along_line(const Plan& plan, int rank) {
  const Line line(plan);
  const Plan numbered{plan.algorithm, plan.collective, plan.ranks, 0, plan.radix, plan.channels};
  Program program = generator_of(plan.algorithm).make(numbered, line.number_of(rank));
  program.plan = plan;
  program.rank = rank;
  for (Step& step : program.steps) {
    if (step.is_message()) step.peer = line.rank_at(step.peer);
  }
  return program;
}

}  // namespace

Result<Program> make_program(const Plan& plan, int rank) {
  if (Result<> checked = check_plan(plan); !checked) return checked.error();
  if (rank < 0 || rank >= plan.ranks) {
    return Error(ErrorCode::invalid_argument,
                 concat("rank ", rank, " is outside 0…", plan.ranks - 1));
  }
  if (plan.ranks == 1) return alone(plan);
  if (arranged(plan.algorithm, plan.collective) == Arranged::along_line) {
    return make_along_line(plan, rank);
  }
  return generator_of(plan.algorithm).make(plan, rank);
}

Result<Schedule> make_schedule(const Plan& plan) {
  if (Result<> checked = check_plan(plan); !checked) return checked.error();
  Schedule schedule{plan, {}};
  for (int rank = 0; rank < plan.ranks; ++rank) {
    Result<Program> program = make_program(plan, rank);
    if (!program) return program.error();
    schedule.programs.push_back(std::move(program).value());
  }
  return schedule;
}

}  // namespace rondo
