#pragma once

// How long the streams of ranks take that reach each other's device memory, for a schedule: the
// kernels that come of it (stream_program.hpp) on a machine given by the constants of its paths.
// Pure, as the simulator of messages is, whose place it takes for the planner: a schedule in which
// a kernel takes all parts of a sum from where they are moves less than its messages would.
//
//   * A step begins when the one before it has ended and the words that it waits for have come,
//     each a latency after the step that tells.
//   * A kernel takes its time, and then as long as the busiest of what its bytes go through: the
//     memory of their devices, and between two devices the way out of the one and the way into the
//     other. All devices below a PCIe switch share one way to the others, and so do all that are
//     near one processor.
//   * Each of these serves kernels in the order in which they begin.

#include <cstdint>
#include <vector>

#include "execute/device/stream_program.hpp"
#include "plan/device_plan.hpp"
#include "plan/planner.hpp"

namespace rondo {

class StreamClock {
 public:
  explicit StreamClock(DeviceModel model);

  /// Of a vector of so many bytes, in memory that all ranks share. Errors: those of the plan.
  Result<double> seconds(const Plan& plan, std::uint64_t bytes);

 private:
  // Bytes that go through something, for each byte of the vector, and what each takes.
  struct Burden {
    std::size_t through = 0;
    double byte_s = 0;
  };
  struct Step {
    std::vector<StreamStep::Await> waits;
    double kernels = 0;
    std::vector<Burden> burdens = {};
  };
  struct Known {
    Plan plan;
    std::vector<std::vector<Step>> ranks;
  };

  Result<const Known*> find(const Plan& plan);
  Step weigh(int rank, const StreamStep& step, double vector) const;
  void add(Step& step, int rank, const Operand& place, bool is_read, double part) const;
  using Ends = std::vector<std::vector<double>>;  // by rank, of the steps that are done
  double begin_of(const Known& known, std::size_t rank, const Ends& ends) const;
  double end_of(const Step& step, double begin, double bytes, std::vector<double>& free) const;

  const DeviceModel model_;
  const std::vector<int> below_switch_;     // by rank
  const std::vector<int> below_processor_;  // by rank
  std::vector<Known> known_;
};

/// Chooses among ranks with these devices.
Planner make_device_planner(DeviceModel model, Wishes wishes);

}  // namespace rondo
