// GOAL, the input of LogGOPSim: T. Hoefler, C. Siebert and A. Lumsdaine, "Group Operation Assembly
// Language - a flexible way to express collective communication", ICPP 2009.

#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include "base/text.hpp"
#include "check/step_bytes.hpp"
#include "check/verify.hpp"
#include "rondo/export_formats.hpp"

namespace rondo {

namespace {

// Its compiler keeps the number of a cpu in a byte.
constexpr int most_lanes = 256;
constexpr double nanoseconds = 1e9;

class RankWriter {
 public:
  RankWriter(std::ostream& out, const Program& program, const GoalOptions& options)
      : out_(out),
        program_(program),
        options_(options),
        layout_(Layout::of(program.plan, program.shape,
                           options.bytes / options.element_bytes / program.shape.blocks)) {}

  // Operations first: `requires` may name only what the compiler has seen.
  void write() {
    out_ << "rank " << program_.rank << " {\n";
    std::uint32_t index = 0;
    for (int lane = 0; lane < program_.lanes(); ++lane) {
      for (const Step& step : program_.lane(lane)) write_operation(lane, index++, step);
    }
    index = 0;
    for (int lane = 0; lane < program_.lanes(); ++lane) {
      const std::uint32_t begin = index;
      for (const Step& step : program_.lane(lane)) {
        if (index > begin) write_order(index, index - 1);
        for (const Wait& wait : step.waits) {
          if (wait.count > 0) write_order(index, begin_of(wait.lane) + wait.count - 1);
        }
        ++index;
      }
    }
    out_ << "}\n";
  }

 private:
  std::uint32_t begin_of(std::uint32_t lane) const {
    return lane == 0 ? 0 : program_.lane_end[lane - 1];
  }
  std::uint64_t calculation_ns(const Step& step, std::uint64_t bytes) const {
    const auto time = [](std::uint64_t amount, double byte_s) {
      return static_cast<std::uint64_t>(
          std::llround(static_cast<double>(amount) * byte_s * nanoseconds));
    };
    switch (step.op) {
      case StepOp::copy:
        return time(bytes, options_.copy_byte_s);
      case StepOp::reduce:
        return time(bytes * (step.count - 1), options_.reduce_byte_s);
      case StepOp::recv:
        return step.accumulates() ? time(bytes, options_.reduce_byte_s) : 0;
      case StepOp::send:
        break;
    }
    return 0;
  }

  void write_operation(int lane, std::uint32_t index, const Step& step) {
    const std::uint64_t bytes =
        step_bytes(step, program_.vector_segments(), layout_, options_.element_bytes);
    const std::uint64_t calculation = calculation_ns(step, bytes);
    last_label_.push_back(concat("s", index));
    out_ << "s" << index << ": ";
    if (!step.is_message()) {
      out_ << "calc " << calculation << " cpu " << lane << "\n";
      return;
    }
    const bool sends = step.op == StepOp::send;
    out_ << (sends ? "send " : "recv ") << bytes << "b " << (sends ? "to " : "from ") << step.peer
         << " tag " << +step.channel << " cpu " << lane << "\n";
    if (calculation == 0) return;
    last_label_.back() += "sum";
    out_ << last_label_.back() << ": calc " << calculation << " cpu " << lane << "\n"
         << last_label_.back() << " requires s" << index << "\n";
  }

  void write_order(std::uint32_t later, std::uint32_t earlier) {
    out_ << "s" << later << " requires " << last_label_[earlier] << "\n";
  }

  std::ostream& out_;
  const Program& program_;
  const GoalOptions& options_;
  Layout layout_;
  std::vector<std::string> last_label_ = {};  // of what makes each step complete
};

Result<> check_options(const GoalOptions& options) {
  const auto is_time = [](double value) {
    return std::isfinite(value) && value >= 0 && value <= 1;
  };
  // Numbers of nanoseconds and bytes stay within 63 bits.
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40;
  if (options.element_bytes == 0 || options.bytes > most_bytes) {
    return Error(ErrorCode::invalid_argument,
                 concat("GOAL is written for elements of a byte or more and vectors of up to ",
                        most_bytes, " bytes, not ", options.element_bytes, " and ", options.bytes));
  }
  if (!is_time(options.reduce_byte_s) || !is_time(options.copy_byte_s)) {
    return Error(ErrorCode::invalid_argument,
                 "a byte takes from 0 to 1 s to be reduced or copied, no other time");
  }
  return {};
}

}  // namespace

Result<std::string> to_goal(const Schedule& schedule, const GoalOptions& options) {
  if (Result<> checked = check_options(options); !checked) return checked.error();
  if (const Result<Trace> trace = trace_of(schedule); !trace) return trace.error();
  const Plan& plan = schedule.plan;
  std::ostringstream out;
  out << "// rondo: " << name(plan.algorithm) << " " << name(plan.collective) << " of "
      << plan.ranks << " ranks, " << options.bytes << " bytes\n"
      << "num_ranks " << plan.ranks << "\n";
  for (const Program& program : schedule.programs) {
    if (program.lanes() > most_lanes) {
      return Error(ErrorCode::unsupported,
                   concat("rank ", program.rank, " has ", program.lanes(),
                          " lanes, and GOAL numbers only ", most_lanes, " cpus"));
    }
    out << "\n";
    RankWriter(out, program, options).write();
  }
  return std::move(out).str();
}

}  // namespace rondo
