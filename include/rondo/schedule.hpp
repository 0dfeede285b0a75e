#pragma once

// A schedule is plain data: what every rank sends, receives, copies and reduces, in which order.
// The same data is verified, drawn, printed and executed.
//
// Glossary (these words mean only this, everywhere in rondo):
//   plan      the decision: which algorithm for which collective, for how many ranks and which root
//   schedule  the programs of all ranks that a plan stands for
//   program   one rank's part of a schedule: lanes of steps
//   lane      a sequence of steps that one rank carries out in order; lanes run side by side
//   step      one send, recv, copy or reduce
//   segment   one part of a buffer, named by its index; only a Layout turns it into bytes
//   channel   a namespace for matching: the i-th send on (me, peer, channel) meets the i-th recv
//             on (peer, me, channel). There are no tags and no wildcards.
//   round     the length of the longest chain of messages up to a step
//   tile      a run of elements inside every segment; the executor repeats a program per tile
//   publication  sends of one rank that carry the same bytes to different peers
//
// Meaning of a program:
//   1. A lane carries out its steps in order.
//   2. A step starts when each of its waits {lane, count} holds: that lane of the same rank has
//      completed `count` steps.
//   3. A send owns its source from start to completion, a recv its destination.
//   4. A send and its recv complete together at the latest when both have started: no buffering
//      is assumed anywhere.
//   5. All sends of a rank to one (peer, channel) stand in one lane, and so do all its recvs from
//      there. Waits could not keep their order: a run in tiles lets tile t wait for tile t only.
//   6. No step writes `in`.
//   7. The sends of a publication have one slice and one channel, and nothing writes that slice
//      from the start of the first one to the completion of the last one: whoever carries them out
//      may write the bytes once, for all peers to read. They stay sends like others. None of them
//      waits for the recv of another, so that no peer waits for a slower one.
//   8. Nothing else is ordered.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/error.hpp"
#include "rondo/export.hpp"
#include "rondo/types.hpp"

namespace rondo {

enum class Algorithm : std::uint8_t {
  automatic,    ///< let the planner choose
  ring,         ///< reduce_scatter, allgather, allreduce [Patarasuk & Yuan 2009]
  double_tree,  ///< broadcast, reduce, allreduce [Sanders, Speck & Träff 2009]
  one_shot,     ///< everybody sends everything at once; contributions reduced in rank order
  two_shot,     ///< one-shot reduce_scatter, then one-shot allgather: allreduce
  knomial,      ///< broadcast, reduce, allreduce, gather, scatter over a k-nomial tree
  circulant,  ///< reduce_scatter, allgather, allreduce in ⌈log₂ p⌉ rounds each [Träff 2024]
  recursive_doubling,  ///< allreduce, scan, exscan of few bytes
  halving_doubling,    ///< allreduce [Rabenseifner 2004]
  chain,               ///< broadcast, reduce, scan, exscan, tile after tile along a line
  scatter_allgather,   ///< broadcast [van de Geijn 1994]
  pairwise,            ///< alltoall in p - 1 rounds of one partner each
  bruck,               ///< alltoall in ⌈log₂ p⌉ rounds [Bruck et al. 1997]
  two_level,   ///< allreduce: reduce-scatter in each group, allreduce across, allgather in each
               ///< group
  chain_tree,  ///< broadcast, reduce, allreduce: chains in groups, two trees between them
};
inline constexpr int algorithm_count = 15;

RONDO_API std::string_view name(Algorithm algorithm);
RONDO_API std::optional<Algorithm> parse_algorithm(std::string_view text);

/// A ring of so many ranks has no more steps than Wait can count, and sums of ranks fit into an
/// int.
inline constexpr int max_ranks = 1 << 20;

/// A rank has up to radix - 1 children a level, each with two lanes: with this limit, Wait can name
/// all lanes of any number of ranks.
inline constexpr int max_radix = 64;

/// Parts of the vector that can go different ways at once.
inline constexpr int max_channels = 16;

/// Who stands where in a schedule: in which order a ring visits the ranks, which of them are close
/// to each other, and how long the segments are. Made once for a world, and shared by its plans.
class RONDO_API Arrangement {
 public:
  /// `order`: the rank at each position, every rank once. `groups`: so many consecutive positions
  /// belong together, as the ranks of a host do; none for a single group. `weights`: how long the
  /// segments of the vector are in proportion, none for equal ones. Errors: invalid_argument.
  static Result<std::shared_ptr<const Arrangement>> make(std::vector<int> order,
                                                         std::vector<int> groups = {},
                                                         std::vector<std::uint32_t> weights = {});

  int ranks() const { return static_cast<int>(order_.size()); }
  int rank_at(int position) const { return order_[static_cast<std::size_t>(position)]; }
  int position_of(int rank) const { return positions_[static_cast<std::size_t>(rank)]; }
  int groups() const { return static_cast<int>(begins_.size()) - 1; }
  int group_of(int position) const { return group_of_[static_cast<std::size_t>(position)]; }
  /// First position of a group; that of group number groups() is one past the last position.
  int begin_of(int group) const { return begins_[static_cast<std::size_t>(group)]; }
  int size_of(int group) const { return begin_of(group + 1) - begin_of(group); }
  std::vector<int> group_sizes() const;
  std::span<const int> order() const { return order_; }
  std::span<const std::uint32_t> weights() const { return weights_; }
  bool is_in_rank_order() const;
  bool is_plain() const;  ///< rank order, one group, equal segments
  friend bool operator==(const Arrangement& a, const Arrangement& b) {
    return a.order_ == b.order_ && a.begins_ == b.begins_ && a.weights_ == b.weights_;
  }

 private:
  Arrangement() = default;

  std::vector<int> order_;
  std::vector<int> positions_;
  std::vector<int> begins_;
  std::vector<int> group_of_;
  std::vector<std::uint32_t> weights_;
};

/// Everything that determines a schedule, except the sizes of its segments.
struct Plan {
  Algorithm algorithm = Algorithm::ring;
  Collective collective = Collective::allreduce;
  int ranks = 1;
  int root = 0;      ///< of rooted collectives; 0 otherwise
  int radix = 2;     ///< knomial only; 2 otherwise
  int channels = 1;  ///< parts of the vector that go different ways at the same time
  std::shared_ptr<const Arrangement> arrangement = nullptr;  ///< none: rank order, one group
  friend bool operator==(const Plan& a, const Plan& b);
};
RONDO_API bool operator==(const Plan& a, const Plan& b);

enum class StepOp : std::uint8_t { send, recv, copy, reduce };

/// `in` is what the caller gives, `out` what the caller gets, `scratch` is private to the rank.
/// In place, `in` and `out` are the same memory; every schedule is valid both ways.
enum class Buffer : std::uint8_t { in, out, scratch };

/// `count` segments of a buffer, from `segment` on.
struct Slice {
  Buffer buffer = Buffer::in;
  std::uint32_t segment = 0;
  std::uint32_t count = 1;
  friend bool operator==(const Slice&, const Slice&) = default;
};

/// "That lane of this rank has completed `count` steps." A count of 0 waits for nothing.
struct Wait {
  static constexpr std::uint32_t max_lane = (1u << 10) - 1;
  static constexpr std::uint32_t max_count = (1u << 22) - 1;

  std::uint32_t lane : 10 = 0;
  std::uint32_t count : 22 = 0;
  friend bool operator==(const Wait&, const Wait&) = default;
};
static_assert(sizeof(Wait) == 4);

/// One step, 32 bytes of plain data.
///   send     source → peer; alone, or in a publication
///   recv     peer → destination; with accumulates(): destination = incoming ⊕ source, where
///            source may be the destination
///   copy     source → destination
///   reduce   destination (one segment) = source[0] ⊕ source[1] ⊕ … ⊕ source[count-1], in this
///   order
/// A message carries a run of `count` segments of `in`, `out` or the mirror; a recv that
/// accumulates adds segment by segment. Only messages have a peer.
/// Where a buffer, or the mirror, is the whole vector, a run of a message or copy may go round its
/// end: after the last segment comes the first one. All slices of the step then do so.
/// A step with completes() makes the final value of its destination: `avg` divides there.
///
/// Segments differ in size, and scratch segments take the size of what they hold. So each step says
/// which segment of the vector it is `about`: that one (for messages and copies, the run of `count`
/// segments beginning there) gives the step its size. A send and its recv are about the same. In
/// alltoall, where blocks are equally long, any block of the right size will do.
struct Step {
  static constexpr std::uint8_t accumulate_flag = 1;
  static constexpr std::uint8_t complete_flag = 2;

  StepOp op = StepOp::send;
  std::uint8_t flags = 0;
  std::uint8_t channel = 0;
  Buffer source_buffer : 4 = Buffer::in;
  Buffer destination_buffer : 4 = Buffer::in;
  std::int32_t peer = -1;
  std::uint32_t source_segment = 0;
  std::uint32_t destination_segment = 0;  ///< of a send: the number of its publication, 0 for none
  std::uint32_t count = 1;
  std::uint32_t about = 0;
  std::array<Wait, 2> waits = {};

  bool is_message() const { return op == StepOp::send || op == StepOp::recv; }
  bool accumulates() const { return (flags & accumulate_flag) != 0; }
  bool completes() const { return (flags & complete_flag) != 0; }
  /// Sends of a rank with the same number, not 0, form a publication.
  std::uint32_t publication() const { return op == StepOp::send ? destination_segment : 0; }
  void set_publication(std::uint32_t number) { destination_segment = number; }
  bool has_source() const { return op != StepOp::recv || accumulates(); }
  bool has_destination() const { return op != StepOp::send; }
  Slice source() const { return {source_buffer, source_segment, count}; }
  Slice destination() const {
    return {destination_buffer, destination_segment, op == StepOp::reduce ? 1u : count};
  }
  friend bool operator==(const Step&, const Step&) = default;
};
static_assert(sizeof(Step) == 32);

/// How many segments the buffers of a plan have.
///
/// The *vector* of a collective has `blocks` blocks of `segments` segments. allreduce, broadcast,
/// reduce, barrier, scan, exscan: one block, and `in` and `out` are the vector. allgather, gather:
/// one block a rank, `in` is the own block and `out` the vector; reduce_scatter, scatter: `in` is
/// the vector and `out` the own block. alltoall: one block a rank, block i of `in` is for rank i
/// and block i of `out` from rank i. Only the root has an `in` in broadcast and scatter, and an
/// `out` in reduce and gather; rank 0 has no `out` in exscan.
///
/// The first `mirror` segments of scratch are a *mirror* of the vector from segment `mirror_first`
/// on: they have its segments' sizes, and lie side by side as those do. The others take any
/// segment.
struct Shape {
  std::uint32_t blocks = 1;
  std::uint32_t segments = 1;  ///< per block
  std::uint32_t scratch = 0;   ///< scratch segments of this rank, with the mirror
  std::uint32_t mirror = 0;
  std::uint32_t mirror_first = 0;
  friend bool operator==(const Shape&, const Shape&) = default;
};

/// One direction-less connection of this rank that a program uses.
struct Link {
  int peer = -1;
  std::uint8_t channel = 0;
  friend auto operator<=>(const Link&, const Link&) = default;
};

/// One rank's part of a schedule.
struct Program {
  Plan plan;
  int rank = 0;
  Shape shape;
  std::vector<Step> steps;                   ///< lane after lane
  std::vector<std::uint32_t> lane_end = {};  ///< lane l is steps[lane_end[l-1], lane_end[l])

  int lanes() const { return static_cast<int>(lane_end.size()); }
  std::span<const Step> lane(int index) const {
    const std::uint32_t begin = index == 0 ? 0 : lane_end[index - 1];
    return {steps.data() + begin, lane_end[index] - begin};
  }
  /// Number of segments of a buffer on this rank, 0 where it has none.
  RONDO_API std::uint32_t segments_of(Buffer buffer) const;
  /// Index in the vector of segment 0 of `in`, `out` or the mirror.
  RONDO_API std::uint32_t first_segment_of(Buffer buffer) const;
  std::uint32_t vector_segments() const { return shape.blocks * shape.segments; }
  /// Whether a slice has its place in the vector: it is of `in`, `out` or the mirror.
  bool is_placed(Slice slice) const {
    if (slice.buffer != Buffer::scratch) return true;
    if (shape.mirror == vector_segments()) return slice.segment < shape.mirror;
    return std::uint64_t{slice.segment} + slice.count <= shape.mirror;
  }
  /// Segments of the vector with the same size class are equally long, whatever the counts.
  std::uint32_t size_class(std::uint32_t segment) const {
    return plan.collective == Collective::alltoall ? segment % shape.segments : segment;
  }
  friend bool operator==(const Program&, const Program&) = default;
};

/// The programs of all ranks, in rank order.
struct Schedule {
  Plan plan;
  std::vector<Program> programs;
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

/// Whether there is a generator for this algorithm and collective.
RONDO_API bool is_supported(Algorithm algorithm, Collective collective);

/// Whether the schedules of this algorithm also serve blocks of different lengths (gatherv and the
/// like): no rank may have to know a length that its call doesn't tell it, and no block may take
/// another one's place. Where all ranks know all lengths (allgather, reduce_scatter), all do; else
/// those in which each block goes straight from its owner to its taker.
RONDO_API bool is_supported_uneven(Algorithm algorithm, Collective collective);

/// The program of one rank: a pure function of its arguments, in time proportional to the number
/// of its steps. Fails with invalid_argument or unsupported.
RONDO_API Result<Program> make_program(const Plan& plan, int rank);

/// The programs of all ranks.
RONDO_API Result<Schedule> make_schedule(const Plan& plan);

/// Schedule text, one line a step; parse_schedule(to_text(s)) == s. The format is described in
/// src/schedule/README.md.
RONDO_API std::string to_text(const Schedule& schedule);
RONDO_API Result<Schedule> parse_schedule(std::string_view text);

/// The plan, and the steps of each lane of each rank, as JSON for other programs.
RONDO_API std::string to_json(const Schedule& schedule);

/// What a proof found: the figures of a correct schedule.
struct Proof {
  std::uint64_t steps = 0;       ///< over all ranks
  std::uint32_t rounds = 0;      ///< longest chain of messages
  std::uint64_t max_sent = 0;    ///< most segments that any one rank sends
  std::uint64_t total_sent = 0;  ///< segments sent by all ranks
  std::uint32_t segments = 0;    ///< segments of the vector
  std::uint32_t orders = 0;      ///< distinct orders of summation over the segments, 0 for copies
};

/// Proves, for in-place and out-of-place buffers alike: every output segment holds each
/// contribution exactly once, and the same bits on all ranks; no deadlock with zero buffering; no
/// two unordered accesses to one segment; only the links, rounds and bytes that theory gives for
/// the plan. An Error says which rank, lane, step and segment is wrong.
RONDO_API Result<Proof> verify(const Schedule& schedule);

/// A timeline a person can read: one row a rank, one column a round.
RONDO_API Result<std::string> draw_text(const Schedule& schedule);

/// A space-time diagram as SVG: ranks down, rounds across, an arrow for each message.
RONDO_API Result<std::string> draw_svg(const Schedule& schedule);

/// What the drawings show, as JSON: an arrow for each message and each local reduction, with its
/// round and the first and last segment of the run it carries.
RONDO_API Result<std::string> draw_json(const Schedule& schedule);

}  // namespace rondo
