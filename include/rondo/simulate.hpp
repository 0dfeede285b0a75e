#pragma once

// How long a schedule takes: its longest path under LogGPS-like constants.
//
// The model, per tile of a step:
//   - A step starts when its lane and its waits allow it; sends and recvs meet as in schedule.hpp.
//   - A message of n bytes leaves its sender's processor after o + n·O, then occupies the way out
//   of
//     the sender's port and, `a` later, the way in of the receiver's for n·b each; b is the link's,
//     or the port's where that is slower. It moves at the pace of the slower of both. The send is
//     done when the last byte has left. Then the receiver's processor takes o + n·O, and n·c where
//     it accumulates.
//   - A link takes up to `window` bytes before their recv has started, as socket buffers do; what
//     does not fit waits for its recv. A window of 0 is the pure rendezvous of schedule.hpp.
//   - Of a publication, where messages of a link up to `p` bytes are published, the sender's
//     processor moves the bytes once: its first such message in the program takes o + n·O, the
//     others o.
//   - Each rank has one processor, which may be another rank's too; messages of one port and bytes
//     on one processor go one after the other, in the order in which they ask. There is no other
//     contention.
//   - A processor that ranks share takes `w` to turn from the work of one to that of another, as to
//     wake a thread and change to it.
// Times are integers of picoseconds inside: the same input gives the same figures on all machines.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/topology.hpp"

namespace rondo {

/// What messages of one class of links cost, in seconds and bytes.
struct LinkCost {
  double latency_s = 0;            ///< a: from leaving one end to reaching the other
  double overhead_s = 0;           ///< o: of the processor at each end, per message
  double byte_s = 0;               ///< b: of the wire
  double overhead_byte_s = 0;      ///< O: of the processor at each end, where it moves the bytes
  std::uint64_t window_bytes = 0;  ///< with 0, a link is taken until its message has been received
  std::uint64_t published_bytes = 0;  ///< p: longer messages of a publication go by themselves
  friend bool operator==(const LinkCost&, const LinkCost&) = default;
};

/// The machine as the simulator sees it. The functions are pure.
struct CostModel {
  int ranks = 1;
  std::vector<LinkCost> links = {};  ///< by class
  /// Index in `links` of what connects two ranks.
  std::function<int(int from, int to)> class_of = {};
  /// Through which port a rank's messages of a class go. What goes through a port shares its one
  /// way out and its one way in, whatever the ranks and the classes.
  std::function<int(int rank, int link_class)> port_of = {};
  /// By port, in seconds a byte: what it carries at best. Ports beyond its end are as fast as
  /// links.
  std::vector<double> port_byte_s = {};
  double start_s = 0;        ///< of a call, before its first step
  double reduce_byte_s = 0;  ///< c: of the processor, per byte of the result and operand but one
  double copy_byte_s = 0;    ///< of the processor
  double switch_s = 0;       ///< w: of a processor, between the works of two ranks that share it
  /// Where not 0: r → r + period (modulo ranks) maps the machine on itself. Then such ranks are
  /// alike, and where the schedule is symmetric too, one period stands for all.
  int period = 0;
  /// Ranks with the same processor take turns on it. Without this function each rank has its own.
  /// Ranks a period apart never share one, nor a port.
  std::function<int(int rank)> processor_of = {};
};

/// Hosts of equally many ranks, rank after rank; the last one may have fewer.
struct TwoLevel {
  int ranks = 1;
  int ranks_per_host = 1;
  int ports_per_host = 0;  ///< network ports that a host's ranks share; 0: one for each rank
  LinkCost inner = {};     ///< between ranks of a host
  LinkCost outer = {};     ///< between hosts
  double start_s = 0;
  double reduce_byte_s = 0;
  double copy_byte_s = 0;
};

/// Fails with invalid_argument where a number makes no sense.
RONDO_API Result<CostModel> make_cost_model(const TwoLevel& hosts);

/// What a host can send to the network at best, and take from it: its ranks share that.
struct PortCost {
  std::string host;  ///< Host::id
  double byte_s = 0;
  friend bool operator==(const PortCost&, const PortCost&) = default;
};

/// What it costs a kernel of one rank to get at memory of another one's device, in seconds.
struct DeviceCost {
  double latency_s = 0;  ///< of a word: from its writing by one stream to the end of a wait for it
  double read_byte_s = 0;
  double write_byte_s = 0;
  friend bool operator==(const DeviceCost&, const DeviceCost&) = default;
};

/// What the links of a world cost, by the class of the path between two ranks, and the ports of its
/// hosts: measured on the present machine, or read from a file that a person wrote.
struct CostTable {
  std::array<std::optional<LinkCost>, path_class_count> links = {};  ///< by PathClass
  double start_s = 0;
  double reduce_byte_s = 0;
  double copy_byte_s = 0;
  double switch_s = 0;
  double kernel_s = 0;  ///< of a device: a kernel that has nothing to do, among others in a stream
  /// By PathClass, between the devices of ranks; `self` is a device's own memory.
  std::array<std::optional<DeviceCost>, path_class_count> devices = {};
  std::vector<PortCost> ports = {};  ///< each host once, or not at all
  friend bool operator==(const CostTable&, const CostTable&) = default;
};

/// Cost text, one line a class; parse_cost_table(to_text(t)) gives t. The format is described in
/// src/topology/README.md.
RONDO_API std::string to_text(const CostTable& costs);
RONDO_API Result<CostTable> parse_cost_table(std::string_view text);
/// For other programs: times in seconds, and in seconds a byte.
RONDO_API std::string to_json(const CostTable& costs);

/// The world of a topology: the class of a link is the path class of its ranks, those of a host
/// share its NICs, and ranks that share a core share a processor. A host's ports have the rate that
/// the table gives them. Where it says nothing of a host, and the speeds of all NICs are known, the
/// costs between hosts are those of the fastest, and the ports of slower ones take longer per byte.
/// A path class without costs takes those of the nearest class that is farther, else nearer. Fails
/// where the table is empty.
RONDO_API Result<CostModel> make_cost_model(const Topology& topology, const CostTable& costs);

/// The costs of links that nobody has measured: NICs, NVLink and PCIe at the speeds that the
/// topology gives, memory at 10 GB/s, and usual latencies. Fails where the topology has several
/// hosts and does not say how fast their NICs are.
RONDO_API Result<CostTable> nominal_costs(const Topology& topology);

/// What is communicated.
struct Workload {
  std::uint64_t bytes = 0;          ///< of the vector: the longer one of the two buffers
  std::uint32_t element_bytes = 4;  ///< segments are cut between elements
  std::uint64_t tile_bytes = 0;     ///< as in execution; 0: whole segments
};

enum class Folding : std::uint8_t {
  automatic,  ///< where machine and schedule are symmetric
  never,      ///< simulate every rank
  always,     ///< fail where it does not apply
};

struct SimulateOptions {
  Folding folding = Folding::automatic;
  /// Of more tiles than these and what windows take, only a beginning is simulated; the time then
  /// grows as with its last two thirds, which is right within a few percent. 0: all are simulated.
  /// In trees of tens of thousands of ranks a few tiles only are simulated; the times of long
  /// pipelines through them are then off, at 65,536 ranks by a few percent.
  std::uint32_t most_tiles = 32;
  /// Steps times tiles that are simulated, but four tiles at least.
  std::uint64_t most_tile_steps = 3 << 21;
  bool record = false;  ///< fill `steps`: every rank and tile is then simulated
};

/// When a step was under way, from the start of its first tile to the end of its last one.
struct StepTime {
  std::uint32_t rank = 0;
  std::uint32_t lane = 0;
  std::uint32_t step = 0;  ///< of the lane
  double begin_s = 0;
  double end_s = 0;
  friend bool operator==(const StepTime&, const StepTime&) = default;
};

struct Simulation {
  double seconds = 0;
  std::uint64_t tiles = 1;            ///< of a segment
  std::uint64_t simulated_tiles = 1;  ///< fewer: the rest was extrapolated
  int simulated_ranks = 1;            ///< fewer than ranks: one period stood for all
  std::uint64_t simulated_steps = 0;  ///< of these ranks, each as often as it was simulated
  std::vector<StepTime> steps = {};   ///< by rank, lane and step
};

/// The time of a plan. Where r → r + period maps machine and schedule on themselves, only the ranks
/// of one period are simulated: the others do the same at the same time, so the result is exact,
/// apart from segments that differ by one element, which are all taken to be the longest. Where
/// ranks of a host share a port and send to different hosts, as in circulant schedules and
/// alltoall, the order in which they are served differs: the result is then up to three times too
/// short. Fails with unsupported where the steps of all ranks would not fit into memory.
RONDO_API Result<Simulation> simulate(const Plan& plan, const CostModel& model,
                                      const Workload& workload,
                                      const SimulateOptions& options = {});

/// The same for any schedule; it is correct, see verify(). Folding::always fails.
RONDO_API Result<Simulation> simulate(const Schedule& schedule, const CostModel& model,
                                      const Workload& workload,
                                      const SimulateOptions& options = {});

// Level 1: the same run, but wires are the links of the network and messages share them.
//
// A message crosses the sender's NIC, the uplinks of the groups that it leaves, the downlinks of
// those that it enters, and the receiver's NIC; inside a host the ports of both ranks. After its
// overhead it moves at its max-min fair share of all these links, which changes as others start
// and end. Latencies, overheads, processors and windows are as above. Links are as fast as their
// class and their port allow; between hosts the fastest class counts.

/// How messages cross a dragonfly.
enum class Routing : std::uint8_t {
  minimal,  ///< over the one link between their groups
  spread,   ///< over all links of the groups alike, as adaptive routing comes near to
};

/// What one kind of links had to carry.
struct LinkUse {
  std::string kind;         ///< "NIC out", "rack uplink"
  int links = 0;            ///< that carried something
  double mean_share = 0;    ///< of what they could have carried, from the first step to the last
  double share = 0;         ///< that of the busiest
  std::string busiest;      ///< "NIC 2 of host 5"; where ranks were alike, one of its like
  double bytes_per_s = 0;   ///< that the busiest can carry
  std::uint64_t bytes = 0;  ///< that it carried, of the simulated tiles
};

struct FlowSimulation {
  Simulation simulation;
  std::vector<LinkUse> links = {};  ///< a kind each, the busiest first
  std::uint64_t solved = 0;         ///< patterns of traffic whose rates were worked out
  std::uint64_t remembered = 0;     ///< that had been seen before
};

/// The time of a plan where the links of the topology are shared. `model` is of the same ranks: see
/// make_cost_model(). One group of the widest level stands for all where these are alike. Rings and
/// trees of thousands of ranks take seconds; where all pairs of a thousand ranks talk, minutes.
RONDO_API Result<FlowSimulation> simulate_flows(const Plan& plan, const Topology& topology,
                                                const CostModel& model, const Workload& workload,
                                                const SimulateOptions& options = {},
                                                Routing routing = Routing::minimal);
RONDO_API Result<FlowSimulation> simulate_flows(const Schedule& schedule, const Topology& topology,
                                                const CostModel& model, const Workload& workload,
                                                const SimulateOptions& options = {},
                                                Routing routing = Routing::minimal);

/// What chrome://tracing and ui.perfetto.dev show: a process a rank, a thread a lane.
RONDO_API std::string to_chrome_trace(const Schedule& schedule, const std::vector<StepTime>& steps);

}  // namespace rondo
