#include "bind/drop_in/drop_in.hpp"

#include <fstream>
#include <iostream>
#include <utility>
#include <vector>

namespace rondo::bind {

namespace {

constexpr double usual_seconds = 0.05;  // for a communicator, where several ranks share a processor

}  // namespace

DropIn::DropIn(Settings settings, std::string form) : settings_(std::move(settings)) {
  teller_.form = std::move(form);
  teller_.mode = name(settings_.mode);
}

DropIn::~DropIn() {
  end();
}

bool DropIn::may_form() const {
  if (settings_.most_forming == 0) return true;
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  return forming_ + usual_seconds <= settings_.most_forming * elapsed;
}

void DropIn::introduce(int rank, int ranks, std::string mpi) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(is_introduced_, true)) return;
  teller_.rank = rank;
  teller_.ranks = ranks;
  teller_.mpi = std::move(mpi);
  if (rank == 0 && !settings_.complaint.empty()) {
    std::clog << "rondo: " + settings_.complaint + "; all calls go to the MPI below\n";
  }
}

void DropIn::watch(const Tally& tally) {
  const std::lock_guard lock(mutex_);
  watched_.insert(&tally);
}

void DropIn::add(const Tally& tally) {
  const std::lock_guard lock(mutex_);
  watched_.erase(&tally);
  tally_ += tally;
}

void DropIn::gather(const Gather& gather) {
  if (!is_on() || !settings_.counts() || teller_.ranks == 1) return;
  Sums mine = tally_;
  {
    const std::lock_guard lock(mutex_);
    for (const Tally* each : watched_) mine += *each;
  }
  std::vector<Sums> all(teller_.rank == 0 ? static_cast<std::size_t>(teller_.ranks) : 0);
  const bool have_all = gather(&mine, teller_.rank == 0 ? all.data() : nullptr, sizeof mine);
  if (teller_.rank != 0) return;
  if (!have_all) {
    std::clog << "rondo: the statistics are those of rank 0 alone, since not all others came in "
                 "time; they need the same RONDO_STATS, as mpirun -x gives them\n";
    return;
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t rank = 1; rank < all.size(); ++rank) of_others_ += all[rank];
  teller_.counted = teller_.ranks;
}

void DropIn::warn(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(has_warned_, true)) return;
  std::clog << "rondo: rank " + std::to_string(teller_.rank) + ": " + text + "\n";
}

void DropIn::end() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(has_ended_, true)) return;
  worlds_.leave();
  if (teller_.rank != 0) return;
  tally_ += of_others_;
  if (!settings_.stats_file.empty()) {
    std::ofstream file(settings_.stats_file);
    file << json(teller_, tally_);
    if (!file.flush()) {
      std::clog << "rondo: cannot write RONDO_STATS=" + settings_.stats_file + "\n";
    }
  }
  if (settings_.prints_table) std::clog << table(teller_, tally_);
}

}  // namespace rondo::bind
