#pragma once

// Looks after the ranks from their start to the end of the last one.

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <poll.h>
#include <signal.h>

#include "cli/process.hpp"
#include "cli/relay.hpp"
#include "cli/terminal.hpp"

namespace rondo::cli {

struct RunPlan {
  int ranks = 1;
  std::span<char* const> command;
  std::optional<std::chrono::seconds> timeout = {};
  bool prefix = true;
  bool bind = true;
  Environment environment = {};  ///< the same for all ranks
};

/// Starts the ranks, passes their output and our signals on, and ends all when one fails:
///
///   running ──a rank fails──▶ grace ──2 s──▶ SIGTERM ──2 s──▶ SIGKILL
///      └──────the time is up───────────────────▲
///
/// In the grace period the others can report what they lost and leave by themselves.
class Supervisor {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Supervisor(const RunPlan& plan);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  /// Kills and collects whatever is left.
  ~Supervisor();

  /// Returns the exit code: that of the first rank that failed, or 0. Throws CannotStart, Error.
  int run();

 private:
  enum class Stage : std::uint8_t { running, grace, terminating, killing };
  struct Rank {
    int rank = 0;
    pid_t pid = 0;
    bool ended = false;
    siginfo_t end = {};
  };

  void start_all();
  void start(int rank, const std::optional<cpu_set_t>& cpus);
  Descriptor input_of(int rank);
  void wait();
  std::vector<pollfd> interests();
  int milliseconds_left() const;
  void handle_signals();
  void stop_and_continue();
  void look_for_ended();
  void on_failure(const Rank& failed);
  void advance_stage();
  bool is_over() const;
  void drain();
  void signal_all(int signal);
  void say(const std::string& text);
  std::string running_ranks() const;

  RunPlan plan_;
  sigset_t former_mask_ = {};
  Descriptor signals_;
  Sink out_{1};
  Sink err_{2};
  std::vector<Rank> ranks_;
  std::deque<LineRelay> relays_;
  std::unique_ptr<TerminalRelay> terminal_;
  Stage stage_ = Stage::running;
  std::optional<Clock::time_point> next_stage_;  ///< when the stage ends by itself
  std::optional<int> exit_code_;
  const Rank* cause_ = nullptr;  ///< whose end the exit code tells
};

}  // namespace rondo::cli
