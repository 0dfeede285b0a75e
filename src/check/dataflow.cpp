#include "check/dataflow.hpp"

#include <unordered_set>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

// Fingerprints: each contribution is a fixed pseudo-random number modulo the prime 2^61-1, so that
// a sum tells which contributions are in it, and how often, up to a chance of 2^-61.
constexpr std::uint64_t prime = (std::uint64_t{1} << 61) - 1;

constexpr std::uint64_t add_modulo(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum >= prime ? sum - prime : sum;
}

std::uint64_t fingerprint(int rank, std::uint32_t segment) {
  return splitmix(static_cast<std::uint64_t>(rank) << 32 | segment) % prime;
}

// What is in a value (its fingerprint), and how it came about (its order: a Merkle hash of the tree
// of additions, divisions and roundings that is blind to the order of two operands, as additions
// are).
class Contributions {
 public:
  enum class State : std::uint8_t { undefined, partial, complete };
  struct Value {
    std::uint64_t sum = 0;
    std::uint64_t order = 0;
    State state = State::undefined;
  };

  explicit Contributions(const Schedule& schedule) {
    const Shape& shape = schedule.programs.front().shape;
    totals_.resize(std::size_t{shape.blocks} * shape.segments);
    for (int rank = 0; rank < schedule.plan.ranks; ++rank) {
      for (std::uint32_t segment = 0; segment < totals_.size(); ++segment) {
        totals_[segment] = add_modulo(totals_[segment], fingerprint(rank, segment));
      }
    }
  }

  std::uint64_t total(std::uint32_t segment) const { return totals_[segment]; }
  std::uint64_t completions() const { return completions_; }
  bool found_partial_sum() const { return found_partial_sum_; }

  bool is_defined(const Value& value) const { return value.state != State::undefined; }
  Value input(int rank, std::uint32_t segment) const {
    return {fingerprint(rank, segment), splitmix(static_cast<std::uint64_t>(rank)), State::partial};
  }
  Value add(const Value& a, const Value& b) {
    if (a.state == State::complete || b.state == State::complete) {
      objection_ = "adds to a sum that has been completed";
    }
    return {add_modulo(a.sum, b.sum), splitmix(a.order + b.order), State::partial};
  }
  Value complete(const Value& value, std::uint32_t segment) {
    if (value.state == State::complete) objection_ = "completes a sum that has been completed";
    if (objection_ == nullptr && value.sum != totals_[segment]) {
      objection_ = "completes a sum that is not whole";
      found_partial_sum_ = true;
    }
    if (objection_ == nullptr) ++completions_;
    return {value.sum, splitmix(value.order ^ divided), State::complete};
  }
  Value round(const Value& value) const {
    return {value.sum, splitmix(value.order ^ rounded), value.state};
  }
  const char* objection() const { return objection_; }

 private:
  // Marks in the order of a value.
  static constexpr std::uint64_t divided = 0x6469766964656421u;
  static constexpr std::uint64_t rounded = 0x726f756e64656421u;

  std::vector<std::uint64_t> totals_;  // per segment of the vector, summed over all ranks
  std::uint64_t completions_ = 0;      // without objection
  bool found_partial_sum_ = false;
  const char* objection_ = nullptr;
};

class OutputCheck {
 public:
  OutputCheck(const Schedule& schedule, const Trace& trace, Placement placement)
      : schedule_(schedule),
        trace_(trace),
        placement_(placement),
        values_(schedule),
        fold_(schedule, placement, values_) {}

  Result<Sums> run() {
    if (Result<> done = fold_.run(trace_); !done) {
      if (!values_.found_partial_sum()) return done.error();
      return Error(
          ErrorCode::invalid_argument,
          concat(done.error().text(), ": it ",
                 explain_completion(schedule_, trace_, placement_, values_.completions())));
    }
    for (const Program& program : schedule_.programs) {
      const std::uint32_t outputs = program.segments_of(Buffer::out);
      for (std::uint32_t segment = 0; segment < outputs; ++segment) {
        if (Result<> checked = check(program, segment); !checked) return checked.error();
      }
    }
    return Sums{static_cast<std::uint32_t>(orders_.size())};
  }

 private:
  // The first rank whose output is this segment, and the order of its sum there.
  struct First {
    int rank = -1;
    std::uint64_t order = 0;
  };

  Result<> check(const Program& program, std::uint32_t segment) {
    const Expected expected = expected_at(program, segment);
    const auto& value = fold_.value(program.rank, {Buffer::out, segment});
    std::uint64_t sum = 0;
    if (expected.completed) {
      sum = values_.total(expected.segment);
    } else {
      for (int from = expected.first; from <= expected.last; ++from) {
        sum = add_modulo(sum, fingerprint(from, expected.segment));
      }
    }
    if (!values_.is_defined(value) || value.sum != sum) {
      return wrong(program.rank, segment,
                   explain_output(schedule_, trace_, placement_, program.rank, segment));
    }
    if (!expected.completed) return {};
    if (value.state != Contributions::State::complete) {
      return wrong(program.rank, segment, "is whole, but no step completes it");
    }
    orders_.insert(value.order);
    if (expected.segment >= first_.size()) first_.resize(expected.segment + 1);
    First& first = first_[expected.segment];
    if (first.rank < 0) first = {program.rank, value.order};
    if (first.order == value.order) return {};
    return wrong(program.rank, segment,
                 concat("is summed or rounded in another order than on rank ", first.rank,
                        ": floating-point results would differ in their last bits"));
  }

  Error wrong(int rank, std::uint32_t segment, std::string_view text) const {
    return Error(ErrorCode::invalid_argument,
                 concat("rank ", rank, ", ", name(placement_), ": out[", segment, "] ", text));
  }

  const Schedule& schedule_;
  const Trace& trace_;
  Placement placement_;
  Contributions values_;
  Fold<Contributions> fold_;
  std::unordered_set<std::uint64_t> orders_;
  std::vector<First> first_;  // per segment of the vector
};

}  // namespace

Expected expected_at(const Program& program, std::uint32_t out_segment) {
  Expected expected;
  expected.segment = program.first_segment_of(Buffer::out) + out_segment;
  const std::uint32_t segments = program.shape.segments;
  const auto from = [&](int rank) { expected.first = expected.last = rank; };
  switch (program.plan.collective) {
    case Collective::broadcast:
    case Collective::scatter:
      from(program.plan.root);
      break;
    case Collective::allgather:
    case Collective::gather:
      from(static_cast<int>(expected.segment / segments));
      break;
    case Collective::alltoall:
      from(static_cast<int>(expected.segment / segments));
      expected.segment =
          static_cast<std::uint32_t>(program.rank) * segments + out_segment % segments;
      break;
    case Collective::scan:
      expected.last = program.rank;
      break;
    case Collective::exscan:
      expected.last = program.rank - 1;
      break;
    default:
      expected.last = program.plan.ranks - 1;
      expected.completed = program.plan.ranks > 1;
  }
  return expected;
}

Result<Sums> check_dataflow(const Schedule& schedule, const Trace& trace) {
  if (Result<Sums> sums = OutputCheck(schedule, trace, Placement::in_place).run(); !sums) {
    return sums;
  }
  return OutputCheck(schedule, trace, Placement::out_of_place).run();
}

}  // namespace rondo
