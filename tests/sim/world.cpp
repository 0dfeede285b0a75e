#include <algorithm>

#include "base/text.hpp"
#include "sim/simulation.hpp"

namespace rondo::sim {

World::World(const std::vector<Job>& jobs, Network& network) : jobs_(jobs), network_(network) {
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
  rank.executor.start(*rank.sized, rank.buffers->in(), rank.buffers->out(), transport);
}

void World::end_job(int index) {
  Rank& rank = ranks_[static_cast<std::size_t>(index)];
  const Task& task = jobs_[rank.job].task;
  if (const auto wrong = rank.buffers->check()) failure_ = wrong;
  const auto& started = started_[rank.job];
  if (task.plan.collective == Collective::barrier &&
      std::find(started.begin(), started.end(), false) != started.end()) {
    failure_ = concat("rank ", index, " leaves the barrier before all ranks have come");
  }
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
