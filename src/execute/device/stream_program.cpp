#include "execute/device/stream_program.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/invariant.hpp"
#include "schedule/runs.hpp"

namespace rondo {

namespace {

constexpr std::size_t nobody = static_cast<std::size_t>(-1);

// A segment of a buffer, and where it lies. In place, `in` and `out` have the same cells.
struct Located {
  Operand place;
  std::size_t cell = 0;
  std::size_t count = 0;
  bool is_scratch() const { return place.buffer == Buffer::scratch; }
  bool is_cell_of(const Located& other) const {
    return place.rank == other.place.rank && cell == other.cell;
  }
};

// A move of some rank, and the earlier ones that it comes after.
struct Found {
  int rank = 0;
  Move move;
  std::vector<std::size_t> after = {};
};

struct Cell {
  std::size_t writer = nobody;  // the last one
  std::vector<std::size_t> readers = {};
  // Of scratch: what it stands for, while nothing was copied there.
  std::optional<Located> view = std::nullopt;
  std::uint32_t reads_left = 0;
  // Scratch that stands for this cell.
  std::vector<Located> viewers = {};
};

// Lets all ranks run together, and notes what moves.
class Rehearsal {
 public:
  Rehearsal(const Schedule& schedule, const Amount& amount, bool in_place);
  std::vector<Found> run();

 private:
  struct Lane {
    std::span<const Step> steps;
    std::size_t step = 0;
    bool has_sent = false;
  };
  struct Member {
    Member(const Program& of, const Amount& amount) : program(of), sized(of, amount) {}
    const Program& program;
    SizedProgram sized;
    std::vector<Lane> lanes = {};
    std::vector<Cell> cells = {};
  };
  struct Sent {
    int rank = 0;
    std::size_t lane = 0;
  };

  Member& member(int rank) { return members_[static_cast<std::size_t>(rank)]; }
  Cell& cell(const Located& at) { return member(at.place.rank).cells[at.cell]; }
  bool may_start(const Member& one, const Step& step) const;
  bool advance(int rank, std::size_t lane);
  std::vector<Located> locate(int rank, const Step& step, bool is_source);
  std::size_t cell_of(const Program& program, Buffer buffer, std::size_t segment) const;
  void count_reads(int rank);
  Located take(const Located& source);
  bool is_viewed(const Located& at);
  void carry(const Located& source, const Located& destination);
  bool join_writer(const Located& source, const Located& destination);
  void fold(std::vector<Located> sources, const Located& destination, int divisor);
  void make_way(const Located& destination);
  void add(int rank, const std::vector<Located>& sources, const Located& destination, int divisor);
  void write(std::size_t move, const Located& destination);

  const bool in_place_;
  std::deque<Member> members_;
  std::map<std::tuple<int, int, int>, std::deque<Sent>> sent_;  // from, to, channel
  std::vector<Found> found_;
};

Rehearsal::Rehearsal(const Schedule& schedule, const Amount& amount, bool in_place)
    : in_place_(in_place) {
  for (const Program& program : schedule.programs) {
    Member& made = members_.emplace_back(program, amount);
    for (int i = 0; i < program.lanes(); ++i) made.lanes.push_back({program.lane(i)});
    const std::size_t shared = program.vector_segments();
    const std::size_t placed = in_place ? shared : 2 * shared;
    made.cells.resize(placed + program.shape.scratch);
    count_reads(program.rank);
  }
}

std::size_t Rehearsal::cell_of(const Program& program, Buffer buffer, std::size_t segment) const {
  const std::size_t shared = program.vector_segments();
  const std::size_t placed = in_place_ ? shared : 2 * shared;
  if (buffer == Buffer::scratch) return placed + segment;
  const std::size_t in_vector = program.first_segment_of(buffer) + segment;
  return buffer == Buffer::out && !in_place_ ? shared + in_vector : in_vector;
}

// The segments of one side of a step.
std::vector<Located> Rehearsal::locate(int rank, const Step& step, bool is_source) {
  const Member& one = member(rank);
  const Slice slice = is_source ? step.source() : step.destination();
  const std::uint32_t turn = before_end(one.program, step);
  std::vector<Located> all;
  for (std::uint32_t i = 0; i < slice.count; ++i) {
    const bool goes_round = i >= turn && one.program.is_placed(slice);
    const std::size_t segment = goes_round ? i - turn : std::size_t{slice.segment} + i;
    const Location at = one.sized.segment(step, slice, i);
    all.push_back(
        {{rank, at.buffer, at.offset}, cell_of(one.program, slice.buffer, segment), at.count});
  }
  return all;
}

void Rehearsal::count_reads(int rank) {
  for (const Step& step : member(rank).program.steps) {
    if (!step.has_source() || step.source_buffer != Buffer::scratch) continue;
    for (const Located& source : locate(rank, step, true)) ++cell(source).reads_left;
  }
}

bool Rehearsal::may_start(const Member& one, const Step& step) const {
  return std::all_of(step.waits.begin(), step.waits.end(), [&](const Wait& wait) {
    return wait.count == 0 || one.lanes[wait.lane].step >= wait.count;
  });
}

std::vector<Found> Rehearsal::run() {
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t rank = 0; rank < members_.size(); ++rank) {
      for (std::size_t lane = 0; lane < members_[rank].lanes.size(); ++lane) {
        while (advance(static_cast<int>(rank), lane)) moved = true;
      }
    }
  }
  for (const Member& one : members_) {
    for (const Lane& lane : one.lanes) RONDO_INVARIANT(lane.step, ==, lane.steps.size());
  }
  return std::move(found_);
}

// Starts a send, or carries out another step of a lane; a recv completes its send, too.
bool Rehearsal::advance(int rank, std::size_t number) {
  Lane& lane = member(rank).lanes[number];
  if (lane.step == lane.steps.size() || lane.has_sent) return false;
  const Step& step = lane.steps[lane.step];
  if (!may_start(member(rank), step)) return false;
  if (step.op == StepOp::send) {
    sent_[{rank, step.peer, step.channel}].push_back({rank, number});
    lane.has_sent = true;
    return true;
  }
  const std::vector<Located> to = locate(rank, step, false);
  const bool is_avg = member(rank).sized.amount().op == Op::avg;
  const int divisor = step.completes() && is_avg ? static_cast<int>(members_.size()) : 1;
  if (step.op == StepOp::recv) {
    std::deque<Sent>& sent = sent_[{step.peer, rank, step.channel}];
    if (sent.empty()) return false;
    Lane& sender = member(step.peer).lanes[sent.front().lane];
    sent.pop_front();
    const std::vector<Located> from = locate(step.peer, sender.steps[sender.step], true);
    RONDO_INVARIANT(from.size(), ==, to.size());
    std::vector<Located> own(to.size());
    if (step.accumulates()) own = locate(rank, step, true);
    for (std::size_t i = 0; i < to.size(); ++i) {
      if (step.accumulates()) {
        fold({from[i], own[i]}, to[i], divisor);
      } else {
        carry(from[i], to[i]);
      }
    }
    sender.has_sent = false;
    ++sender.step;
  } else {
    const std::vector<Located> from = locate(rank, step, true);
    if (step.op == StepOp::reduce) {
      fold(from, to[0], divisor);
    } else {
      for (std::size_t i = 0; i < to.size(); ++i) carry(from[i], to[i]);
    }
  }
  ++lane.step;
  return true;
}

// Where a source really is.
Located Rehearsal::take(const Located& source) {
  if (!source.is_scratch()) return source;
  Cell& own = cell(source);
  --own.reads_left;
  return own.view ? *own.view : source;
}

void Rehearsal::carry(const Located& source, const Located& destination) {
  const Located from = take(source);
  if (from.count == 0 || from.place == destination.place) return;
  Cell& to = cell(destination);
  if (destination.is_scratch() && to.reads_left <= 1 && !from.is_cell_of(destination)) {
    to.view = from;
    cell(from).viewers.push_back(destination);
    return;
  }
  if (join_writer(from, destination)) return;
  make_way(destination);
  add(destination.place.rank, {from}, destination, 1);
}

bool Rehearsal::is_viewed(const Located& at) {
  const std::vector<Located>& viewers = cell(at).viewers;
  return std::any_of(viewers.begin(), viewers.end(), [&](const Located& viewer) {
    const Cell& scratch = cell(viewer);
    return scratch.reads_left > 0 && scratch.view && scratch.view->is_cell_of(at);
  });
}

// Whether the sender's move that made the source can write it to the destination, too: nobody uses
// that after the move until now.
bool Rehearsal::join_writer(const Located& source, const Located& destination) {
  const std::size_t writer = cell(source).writer;
  Cell& to = cell(destination);
  if (writer == nobody || found_[writer].rank != source.place.rank) return false;
  if (to.writer != nobody && to.writer >= writer) return false;
  if (to.view || is_viewed(destination)) return false;
  const bool is_free = std::all_of(to.readers.begin(), to.readers.end(),
                                   [&](std::size_t reader) { return reader <= writer; });
  Found& made = found_[writer];
  if (!is_free || made.move.destinations.size() == StreamProgram::most_places) return false;
  if (made.move.count != destination.count) return false;
  write(writer, destination);
  return true;
}

void Rehearsal::fold(std::vector<Located> sources, const Located& destination, int divisor) {
  for (Located& source : sources) source = take(source);
  if (destination.count == 0) return;
  make_way(destination);
  add(destination.place.rank, sources, destination, divisor);
}

// Who would read what is about to be overwritten copies it first.
void Rehearsal::make_way(const Located& destination) {
  for (const Located& viewer : std::exchange(cell(destination).viewers, {})) {
    Cell& scratch = cell(viewer);
    const bool is_meant = scratch.view && scratch.view->is_cell_of(destination);
    if (!is_meant) continue;
    const Located from = *std::exchange(scratch.view, std::nullopt);
    if (scratch.reads_left > 0) add(viewer.place.rank, {from}, viewer, 1);
  }
  cell(destination).view.reset();
}

void Rehearsal::add(int rank, const std::vector<Located>& sources, const Located& destination,
                    int divisor) {
  const std::size_t number = found_.size();
  Found made{rank, {.count = destination.count, .divisor = divisor}};
  for (const Located& source : sources) {
    made.move.sources.push_back(source.place);
    Cell& from = cell(source);
    if (from.writer != nobody) made.after.push_back(from.writer);
    from.readers.push_back(number);
  }
  found_.push_back(std::move(made));
  write(number, destination);
}

void Rehearsal::write(std::size_t move, const Located& destination) {
  Found& made = found_[move];
  made.move.destinations.push_back(destination.place);
  Cell& to = cell(destination);
  if (to.writer != nobody) made.after.push_back(to.writer);
  for (const std::size_t reader : to.readers) {
    if (reader != move) made.after.push_back(reader);
  }
  to.writer = move;
  to.readers.clear();
}

// Puts moves into steps, and finds out which waits are needed: a step that waits for another one
// knows all that that one knew.
class Arranging {
 public:
  explicit Arranging(std::size_t ranks) : programs_(ranks), known_(ranks, Clock(ranks, 0)) {}
  std::vector<StreamProgram> run(std::vector<Found> found);

 private:
  using Clock = std::vector<std::uint32_t>;  // steps done, by rank

  std::vector<StreamStep::Await> waits_of(const Found& one);
  bool may_join(const Found& one) const;

  std::vector<StreamProgram> programs_;
  std::vector<Clock> known_;                               // in each rank's stream
  std::vector<std::pair<std::size_t, std::uint32_t>> at_;  // rank and step of each move
  std::map<std::pair<std::size_t, std::uint32_t>, Clock> knew_;
};

std::vector<StreamStep::Await> Arranging::waits_of(const Found& one) {
  const auto own = static_cast<std::size_t>(one.rank);
  std::vector<std::size_t> after = one.after;
  std::sort(after.rbegin(), after.rend());
  std::vector<StreamStep::Await> waits;
  for (const std::size_t move : after) {
    const auto [rank, step] = at_[move];
    if (rank == own || known_[own][rank] > step) continue;
    waits.push_back({static_cast<int>(rank), step + 1});
    std::vector<int>& tells = programs_[rank].steps[step].tells;
    if (std::find(tells.begin(), tells.end(), one.rank) == tells.end()) tells.push_back(one.rank);
    const Clock& theirs = knew_[{rank, step}];
    for (std::size_t i = 0; i < theirs.size(); ++i) {
      known_[own][i] = std::max(known_[own][i], theirs[i]);
    }
    known_[own][rank] = std::max(known_[own][rank], step + 1);
  }
  return waits;
}

// Copies that know nothing of each other go side by side.
bool Arranging::may_join(const Found& one) const {
  const auto own = static_cast<std::size_t>(one.rank);
  const std::vector<StreamStep>& steps = programs_[own].steps;
  const auto is_plain = [](const Move& move) {
    return move.is_copy() && move.destinations.size() == 1;
  };
  if (steps.empty() || !is_plain(one.move) || !is_plain(steps.back().moves.back()) ||
      steps.back().moves.size() == StreamProgram::most_places) {
    return false;
  }
  return std::none_of(one.after.begin(), one.after.end(), [&](std::size_t move) {
    return at_[move] == std::pair(own, static_cast<std::uint32_t>(steps.size() - 1));
  });
}

std::vector<StreamProgram> Arranging::run(std::vector<Found> found) {
  for (Found& one : found) {
    const auto own = static_cast<std::size_t>(one.rank);
    std::vector<StreamStep>& steps = programs_[own].steps;
    std::vector<StreamStep::Await> waits = waits_of(one);
    if (!waits.empty() || !may_join(one)) {
      steps.emplace_back();
      steps.back().waits = std::move(waits);
    }
    steps.back().moves.push_back(std::move(one.move));
    const auto step = static_cast<std::uint32_t>(steps.size() - 1);
    at_.emplace_back(own, step);
    known_[own][own] = step + 1;
    knew_[{own, step}] = known_[own];
  }
  return std::move(programs_);
}

std::size_t scratch_bytes_of(const std::vector<StreamProgram>& programs, std::size_t element) {
  std::size_t bytes = 0;
  const auto look = [&](const std::vector<Operand>& places, std::size_t count) {
    for (const Operand& place : places) {
      if (place.buffer != Buffer::scratch) continue;
      bytes = std::max(bytes, place.offset + count * element);
    }
  };
  for (const StreamProgram& program : programs) {
    for (const StreamStep& step : program.steps) {
      for (const Move& move : step.moves) {
        look(move.sources, move.count);
        look(move.destinations, move.count);
      }
    }
  }
  return bytes;
}

std::size_t parts_of(const StreamProgram& program) {
  std::size_t parts = program.steps.size();
  for (const StreamStep& step : program.steps) {
    parts += step.waits.size() + step.moves.size() + step.tells.size();
    for (const Move& move : step.moves) parts += move.sources.size() + move.destinations.size();
  }
  return parts;
}

}  // namespace

Result<std::vector<StreamProgram>> make_stream_programs(const Plan& plan, const Amount& amount,
                                                        bool in_place) {
  const Result<Schedule> schedule = make_schedule(plan);
  if (!schedule) return schedule.error();
  Amount whole = amount;
  whole.tile_bytes = 0;
  Arranging arranging(schedule.value().programs.size());
  std::vector<StreamProgram> all =
      arranging.run(Rehearsal(schedule.value(), whole, in_place).run());
  const std::size_t scratch_bytes = scratch_bytes_of(all, size_of(amount.dtype));
  std::size_t most_steps = 0;
  std::size_t most_parts = 0;
  for (const StreamProgram& each : all) {
    most_steps = std::max(most_steps, each.steps.size());
    most_parts = std::max(most_parts, parts_of(each));
  }
  for (StreamProgram& each : all) {
    each.scratch_bytes = scratch_bytes;
    each.most_steps = static_cast<std::uint32_t>(most_steps);
    each.most_parts = most_parts;
  }
  return all;
}

Result<StreamProgram> make_stream_program(const Plan& plan, const Amount& amount, int rank,
                                          bool in_place) {
  Result<std::vector<StreamProgram>> all = make_stream_programs(plan, amount, in_place);
  if (!all) return all.error();
  return std::move(all.value()[static_cast<std::size_t>(rank)]);
}

}  // namespace rondo
