#include "check/hazards.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "schedule/runs.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

std::uint64_t link_key(const Step& step) {
  const std::uint64_t direction = step.op == StepOp::send ? 0 : 1;
  return static_cast<std::uint64_t>(step.peer) << 16 | std::uint64_t{step.channel} << 8 | direction;
}

}  // namespace

void HazardCheck::reset(const Program& program) {
  program_ = &program;
  lanes_ = static_cast<std::uint32_t>(program.lanes());
  done_.assign(lanes_, 0);
  clock_.assign(lanes_, 0);
  clocks_.assign(program.steps.size() * lanes_, 0);
  const auto clear = [](std::vector<Cell>& cells, std::size_t size) {
    cells.resize(size);
    for (Cell& cell : cells) {
      cell.write = cell.read = {};
      cell.other_reads.clear();
      cell.version = 0;
    }
  };
  clear(vector_cells_, std::size_t{program.shape.blocks} * program.shape.segments);
  clear(scratch_cells_, program.shape.scratch);
  links_.clear();
  publications_.clear();
  readers_.clear();
  writes_ = 0;
}

// Visits the steps in an order that lanes and waits allow; any such order finds the same.
Result<> HazardCheck::run(const Program& program) {
  reset(program);
  for (bool moved = true; moved;) {
    moved = false;
    for (std::uint32_t lane = 0; lane < lanes_; ++lane) {
      const std::span<const Step> steps = program.lane(static_cast<int>(lane));
      while (done_[lane] < steps.size() && may_start(steps[done_[lane]])) {
        if (Result<> visited = visit(lane, steps[done_[lane]]); !visited) return visited;
        moved = true;
      }
    }
  }
  for (std::uint32_t lane = 0; lane < lanes_; ++lane) {
    if (done_[lane] == program.lane(static_cast<int>(lane)).size()) continue;
    now_ = {lane, done_[lane] + 1};
    return here("waits for a step of its own rank that waits for it");
  }
  return {};
}

bool HazardCheck::may_start(const Step& step) const {
  return std::all_of(step.waits.begin(), step.waits.end(), [&](const Wait& wait) {
    return wait.count == 0 || done_[wait.lane] >= wait.count;
  });
}

std::size_t HazardCheck::index_of(Access access) const {
  const std::size_t begin = access.lane == 0 ? 0 : program_->lane_end[access.lane - 1];
  return begin + access.count - 1;
}

// Sets clock_ to what is known to have completed when the step starts.
void HazardCheck::enter(std::uint32_t lane, const Step& step) {
  const auto clock_after = [&](Access access) { return &clocks_[index_of(access) * lanes_]; };
  now_ = {lane, done_[lane] + 1};
  if (done_[lane] == 0) {
    std::fill(clock_.begin(), clock_.end(), 0);
  } else {
    std::copy_n(clock_after({lane, done_[lane]}), lanes_, clock_.begin());
  }
  for (const Wait& wait : step.waits) {
    if (wait.count == 0) continue;
    const std::uint32_t* other = clock_after({wait.lane, wait.count});
    for (std::uint32_t i = 0; i < lanes_; ++i) clock_[i] = std::max(clock_[i], other[i]);
  }
}

Result<> HazardCheck::visit(std::uint32_t lane, const Step& step) {
  enter(lane, step);
  if (Result<> overlap = check_overlap(step); !overlap) return overlap;
  if (Result<> link = check_link(step); !link) return link;
  const StepParts parts(*program_, step);
  for (const Step& part : parts) {
    if (!part.has_source()) continue;
    if (Result<> result = read(part.source(), part); !result) return result;
  }
  if (Result<> publication = check_publication(step); !publication) return publication;
  if (step.has_destination()) ++writes_;
  for (const Step& part : parts) {
    if (!part.has_destination()) continue;
    if (Result<> result = write(part.destination(), part); !result) return result;
  }
  clock_[lane] = ++done_[lane];
  std::copy(clock_.begin(), clock_.end(), &clocks_[index_of(now_) * lanes_]);
  return {};
}

HazardCheck::Cell& HazardCheck::cell(Buffer buffer, std::uint32_t segment) {
  if (buffer == Buffer::scratch) return scratch_cells_[segment];
  return vector_cells_[program_->first_segment_of(buffer) + segment];
}

// Within a step, source and destination are the same segments or different ones: slices that are
// shifted against each other would be read after they were written.
Result<> HazardCheck::check_overlap(const Step& step) const {
  if (!step.has_source() || !step.has_destination() || step.op == StepOp::reduce) return {};
  if (step.source_buffer != Buffer::scratch || step.destination_buffer != Buffer::scratch)
    return {};
  if (step.source_segment == step.destination_segment) return {};
  const StepParts parts(*program_, step);
  for (const Step& read : parts) {
    for (const Step& written : parts) {
      const bool apart = read.source_segment + read.count <= written.destination_segment ||
                         written.destination_segment + written.count <= read.source_segment;
      if (!apart) return here("source and destination overlap");
    }
  }
  return {};
}

Result<> HazardCheck::check_link(const Step& step) {
  if (!step.is_message()) return {};
  Access& last = links_[link_key(step)];
  if (last.count != 0 && last.lane != now_.lane) {
    return here(concat("uses the same peer and channel as ", where(*program_, index_of(last)),
                       ": one lane has to hold both, a wait would order them only tile by tile"));
  }
  last = now_;
  return {};
}

// Reads and writes are ordered, as read() and write() prove. So where all sends of a publication
// find the same last write of what they send, every other write comes before all or after all of
// them.
Result<> HazardCheck::check_publication(const Step& step) {
  const std::uint32_t number = step.publication();
  if (number == 0) return {};
  const auto in_publication = [&](std::string_view what, Access other) {
    return here(concat(what, " ", where(*program_, index_of(other)),
                       ", with which it is in publication ", number));
  };
  std::uint32_t version = 0;
  for (const Step& part : StepParts(*program_, step)) {
    const Slice source = part.source();
    for (std::uint32_t i = 0; i < source.count; ++i) {
      version = std::max(version, cell(source.buffer, source.segment + i).version);
    }
  }
  const auto [reader, is_new] = readers_.try_emplace(
      std::uint64_t{number} << 32 | static_cast<std::uint32_t>(step.peer), now_);
  if (!is_new) return in_publication("has the same peer as", reader->second);
  if (publications_.size() <= number) publications_.resize(number + std::size_t{1});
  Publication& publication = publications_[number];
  if (publication.first.count == 0) {
    publication = {now_, version};
    return {};
  }
  const Step& first = program_->steps[index_of(publication.first)];
  if (first.source() != step.source() || first.about != step.about) {
    return in_publication("sends something else than", publication.first);
  }
  if (first.channel != step.channel) {
    return in_publication("uses another channel than", publication.first);
  }
  if (publication.version != version) {
    return in_publication("what it sends was written since", publication.first);
  }
  return {};
}

Result<> HazardCheck::read(const Slice& slice, const Step& step) {
  for (std::uint32_t i = 0; i < slice.count; ++i) {
    Cell& source = cell(slice.buffer, slice.segment + i);
    const Slice segment{slice.buffer, slice.segment + i};
    if (!before(source.write)) {
      return conflict(concat("reads ", to_text(segment), " unordered with the write of"),
                      source.write);
    }
    const std::uint32_t subject = step.op == StepOp::reduce ? step.about : step.about + i;
    if (slice.buffer == Buffer::scratch && source.write.count != 0 &&
        program_->size_class(source.about) != program_->size_class(subject)) {
      return here(concat("reads ", to_text(segment), " as segment ", subject,
                         " of the vector, but it holds segment ", source.about));
    }
    if (source.read.count != 0 && source.read.lane != now_.lane) {
      std::erase_if(source.other_reads, [&](Access a) { return before(a); });
      if (!before(source.read)) source.other_reads.push_back(source.read);
    }
    source.read = now_;
  }
  return {};
}

Result<> HazardCheck::write(const Slice& slice, const Step& step) {
  const auto ordered = [&](const Access& other) {
    return before(other) || (other.lane == now_.lane && other.count == now_.count);
  };
  for (std::uint32_t i = 0; i < slice.count; ++i) {
    Cell& target = cell(slice.buffer, slice.segment + i);
    const Slice segment{slice.buffer, slice.segment + i};
    if (!before(target.write)) {
      return conflict(concat("writes ", to_text(segment), " unordered with the write of"),
                      target.write);
    }
    target.other_reads.push_back(target.read);
    for (const Access& other : target.other_reads) {
      if (ordered(other)) continue;
      return conflict(concat("writes ", to_text(segment), " unordered with the read of"), other);
    }
    target.write = now_;
    target.version = writes_;
    target.read = {};
    target.other_reads.clear();
    target.about = step.about + i;
  }
  return {};
}

Error HazardCheck::conflict(std::string_view what, const Access& other) const {
  return here(
      concat(what, " ", where(*program_, index_of(other)), ": add a wait for one of the two"));
}

Error HazardCheck::here(std::string_view text) const {
  return Error(ErrorCode::invalid_argument, concat(where(*program_, index_of(now_)), ": ", text));
}

}  // namespace rondo
