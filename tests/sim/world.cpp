#include <algorithm>

#include "base/text.hpp"
#include "sim/simulation.hpp"

namespace rondo::sim {

FarSide::FarSide(Buffers& buffers, const SizedProgram& sized, std::size_t chunk_bytes, Fault fault)
    : buffers_(buffers),
      fault_(fault),
      order_(sized, {buffers.in_bytes(), buffers.out_bytes()}, {chunk_bytes, chunk_bytes}),
      input_(buffers.in(), buffers.in() + buffers.in_bytes()),
      result_(buffers.out_bytes()) {
  std::fill_n(buffers.in(), input_.size(), std::byte{0x99});
  give();
}

void FarSide::give() {
  const auto [offset, bytes] = order_.in().extent(++given_);
  std::copy_n(input_.data() + offset, bytes, buffers_.in() + offset);
}

Result<std::uint32_t> FarSide::given() {
  const bool is_early = fault_ == Fault::gives_early && awaits_input();
  return is_early ? given_ + 1 : given_;
}

void FarSide::give_rest() {
  std::vector<bool> has_come(input_.size(), false);
  for (std::uint32_t number = 1; number <= order_.in().size(); ++number) {
    const auto [offset, bytes] = order_.in().extent(number);
    std::fill_n(has_come.begin() + static_cast<std::ptrdiff_t>(offset), bytes, true);
  }
  for (std::size_t i = 0; i < input_.size(); ++i) {
    std::byte* const place = buffers_.in() + i;
    const bool is_result = place >= buffers_.out() && place < buffers_.out() + buffers_.out_bytes();
    if (!has_come[i] && !is_result) *place = input_[i];
  }
}

void FarSide::take(std::uint32_t chunks) noexcept {
  if (fault_ == Fault::takes_early && chunks < order_.out().size()) ++chunks;
  while (taken_ < chunks) {
    const auto [offset, bytes] = order_.out().extent(++taken_);
    std::copy_n(buffers_.out() + offset, bytes, result_.data() + offset);
  }
  if (is_over_ || taken_ < order_.out().size()) return;
  std::fill_n(buffers_.in(), input_.size(), std::byte{0x77});
  std::fill_n(buffers_.out(), result_.size(), std::byte{0x77});
}

std::optional<std::string> FarSide::check() const {
  if (awaits_input()) return "the program has ended before its input was there";
  if (final_ + 1 < order_.out().size()) return "not all of the result was final at the end";
  if (std::equal(result_.begin(), result_.end(), buffers_.out())) return std::nullopt;
  return "a chunk of the result was taken before it was final";
}

World::World(const std::vector<Job>& jobs, Network& network, Fault fault)
    : jobs_(jobs), network_(network), fault_(fault) {
  const auto size = static_cast<std::size_t>(jobs.front().task.plan.ranks);
  ranks_.resize(size);
  started_.assign(jobs.size(), std::vector<bool>(size));
}

void World::start(int index) {
  Rank& rank = ranks_[static_cast<std::size_t>(index)];
  const Job& job = jobs_[rank.job];
  const Task& task = job.task;
  started_[rank.job][static_cast<std::size_t>(index)] = true;
  rank.buffers = std::make_unique<Buffers>(task, index);
  Transport& transport = network_.transport(index);
  if (!transport.begin(rank.job + 1, Call{}, {})) failure_ = "the network refuses to begin";
  rank.sized.emplace(job.programs[static_cast<std::size_t>(index)],
                     Amount{task.count, task.dtype, task.op, task.tile_bytes});
  Crossing* crossing = nullptr;
  if (task.chunk_bytes > 0) {
    rank.far_side = std::make_unique<FarSide>(*rank.buffers, *rank.sized, task.chunk_bytes, fault_);
    crossing = &rank.crossing;
    crossing->start(*rank.sized, rank.far_side->order(), *rank.far_side);
  }
  rank.executor.start(*rank.sized, rank.buffers->in(), rank.buffers->out(), transport, crossing);
}

void World::end_job(int index) {
  Rank& rank = ranks_[static_cast<std::size_t>(index)];
  const Task& task = jobs_[rank.job].task;
  if (rank.far_side) rank.far_side->give_rest();
  if (const auto wrong = rank.buffers->check()) failure_ = wrong;
  if (rank.far_side) rank.far_side->take_back(std::nullopt);
  if (rank.far_side && !failure_) failure_ = rank.far_side->check();
  const auto& started = started_[rank.job];
  if (task.plan.collective == Collective::barrier &&
      std::find(started.begin(), started.end(), false) != started.end()) {
    failure_ = concat("rank ", index, " leaves the barrier before all ranks have come");
  }
  rank.far_side.reset();
  rank.buffers.reset();
  ++rank.job;
}

bool World::run(int index) {
  Rank& rank = ranks_[static_cast<std::size_t>(index)];
  if (finished(index)) return false;
  bool moved = false;
  if (!rank.buffers) {
    start(index);
    moved = true;
  }
  const std::uint64_t before = rank.executor.progress();
  if (rank.executor.advance()) {
    if (const auto peers = rank.executor.waiting_for(); !peers.empty()) {
      failure_ = concat("rank ", index, " is done, but waits for rank ", peers.front());
    }
    end_job(index);
    return true;
  }
  return moved || rank.executor.progress() != before;
}

bool World::awaits_input(int rank) const {
  const FarSide* const far_side = ranks_[static_cast<std::size_t>(rank)].far_side.get();
  return far_side != nullptr && far_side->awaits_input();
}

bool World::finished(int rank) const {
  return ranks_[static_cast<std::size_t>(rank)].job == jobs_.size();
}

bool World::finished() const {
  return std::all_of(ranks_.begin(), ranks_.end(),
                     [this](const Rank& rank) { return rank.job == jobs_.size(); });
}

std::vector<int> World::waiting_for(int index) const {
  const Rank& rank = ranks_[static_cast<std::size_t>(index)];
  return rank.buffers ? rank.executor.waiting_for() : std::vector<int>{};
}

std::string World::dump() const {
  std::string text;
  for (int index = 0; index < size(); ++index) {
    const Rank& rank = ranks_[static_cast<std::size_t>(index)];
    text += concat("  rank ", index);
    if (finished(index)) {
      text += " has finished\n";
      continue;
    }
    text +=
        concat(" in job ", rank.job, " after ", rank.executor.progress(), " messages, waits for:");
    for (const int peer : waiting_for(index)) text += concat(" ", peer);
    text += "\n";
  }
  return text + network_.dump();
}

}  // namespace rondo::sim
