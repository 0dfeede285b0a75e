#pragma once

// The drop-in in one process: what its communicators share.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "bind/drop_in/settings.hpp"
#include "bind/drop_in/tally.hpp"
#include "bind/drop_in/worlds.hpp"

namespace rondo::bind {

class DropIn {
 public:
  /// `form`: "component" or "preload".
  DropIn(Settings settings, std::string form);
  DropIn(const DropIn&) = delete;
  DropIn& operator=(const DropIn&) = delete;
  /// Ends, where nobody said so: Open MPI closes no component while the program uses MPI_T.
  ~DropIn();

  const Settings& settings() const { return settings_; }
  Worlds& worlds() { return worlds_; }
  bool is_on() const { return settings_.mode != Mode::off; }

  /// Whether the program has run for long enough that making one more communicator hardly counts.
  /// Other ranks may see it otherwise.
  bool may_form() const;
  void note_forming(double seconds) { forming_ += seconds; }

  /// Who this process is among all, and what it runs on; for the report and for warnings. The
  /// first time counts.
  void introduce(int rank, int ranks, std::string mpi);

  /// Of a communicator, as long as it is there: it goes with add(). Any thread.
  void watch(const Tally& tally);
  /// Of a communicator that has ended. Any thread.
  void add(const Tally& tally);
  /// Where statistics are wanted: those of all ranks come to rank 0, by `gather` of so many bytes
  /// of each into `all`, which only rank 0 has. Collective, while the MPI below still works.
  using Gather = std::function<bool(const void* mine, void* all, std::size_t bytes)>;
  void gather(const Gather& gather);
  /// On standard error, the first time only: what goes wrong goes wrong again with the next call.
  void warn(const std::string& text);
  /// When all communicators have ended: leaves the worlds, and on rank 0 writes what the user asked
  /// for.
  void end();

 private:
  using Clock = std::chrono::steady_clock;

  const Settings settings_;
  const Clock::time_point start_ = Clock::now();
  std::atomic<double> forming_ = 0;  // seconds
  Worlds worlds_{settings_.mode == Mode::always};
  std::mutex mutex_;
  Teller teller_;
  Tally tally_;
  std::set<const Tally*> watched_;
  Sums of_others_;
  bool is_introduced_ = false;
  bool has_warned_ = false;
  bool has_ended_ = false;
};

}  // namespace rondo::bind
