#pragma once

// The drop-in in one process: what its communicators share.

#include <mutex>
#include <string>

#include "bind/drop_in/settings.hpp"
#include "bind/drop_in/tally.hpp"
#include "bind/drop_in/worlds.hpp"

namespace rondo::bind {

class DropIn {
 public:
  /// `form`: "component" or "preload".
  DropIn(Settings settings, std::string form);

  const Settings& settings() const { return settings_; }
  Worlds& worlds() { return worlds_; }
  bool is_on() const { return settings_.mode != Mode::off; }

  /// Who this process is among all, and what it runs on; for the report and for warnings. The
  /// first time counts.
  void introduce(int rank, int ranks, std::string mpi);

  /// Of a communicator that has ended. Any thread.
  void add(const Tally& tally);
  /// On standard error, the first time only: what goes wrong goes wrong again with the next call.
  void warn(const std::string& text);
  /// When all communicators have ended: leaves the worlds, and on rank 0 writes what the user asked
  /// for.
  void end();

 private:
  const Settings settings_;
  Worlds worlds_;
  std::mutex mutex_;
  Teller teller_;
  Tally tally_;
  bool is_introduced_ = false;
  bool has_warned_ = false;
  bool has_ended_ = false;
};

}  // namespace rondo::bind
