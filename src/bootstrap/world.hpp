#pragma once

// From the launcher's environment to a world whose members know and trust each other.
//
// Whoever knows the job's name may join, and nothing is encrypted or signed: across hosts this is
// for trusted networks. The names that launchers give are guessable; RONDO_JOB is a secret only
// where the user makes it one. A rank sends the key made of it to whoever listens at the place of
// rank 0, and the session's token to whoever listens at a member's port: both tell members from
// strays, and stop nobody who can listen to the network or take a port before its owner does.

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "execute/isa.hpp"
#include "rondo/communicator.hpp"
#include "rondo/error.hpp"
#include "transport/control/membership.hpp"

namespace rondo {

/// Looks up an environment variable; tests give their own.
using Lookup = std::function<std::optional<std::string>(std::string_view)>;

/// What the launcher says about this process.
struct Launch {
  std::string launcher;  ///< "rondo", "torchrun", "Open MPI", "Slurm", … or "none": a world of one
  int rank = 0;
  int size = 1;
  std::optional<int> local_rank;
  std::optional<int> local_size;  ///< ranks on this host, where the launcher tells
  /// Where rank 0 can be found: "host:port", "host:first-last" (one of these ports), or "file:PATH"
  /// of a file in which it writes that; or "pmix", where nobody has to be found. Empty in a world
  /// of one.
  std::string rendezvous;
  std::string job;     ///< distinguishes jobs; strays and stale files do not know it
  std::string listen;  ///< address to listen on; empty: the one that reaches rank 0, or loopback
};

/// Reads the variables of rondo run, torchrun, Open MPI, Slurm, PMI; the first family present wins:
/// RONDO_*, torchrun/RANK, Open MPI, Slurm step, PMI. Errors: invalid_argument naming the variable.
Result<Launch> read_launch(const Lookup& lookup);

/// The names that RONDO_TRANSPORT and Options::transport take, the default first.
std::span<const std::string_view> transports();

/// Errors: invalid_argument naming the option that is out of range, its value and the range.
Result<> check_options(const Options& options);

/// Fills what the caller left open in `options` from RONDO_* variables, and defaults.
/// Errors: invalid_argument naming the variable, its value and what would be right.
Result<Options> read_options(const Lookup& lookup, Options options);

/// The instruction set that reductions are to use, where RONDO_ISA says so.
/// Errors: invalid_argument with the names of those that this machine has.
Result<std::optional<Isa>> read_isa(const Lookup& lookup);

/// Rank 0 gathers all ranks, compares what they bring (rank, size, protocol version, options), and
/// tells everybody the outcome by options.join_timeout. `agreement` is a text of all options that
/// must be alike, "key=value" lines. Errors: join_failed on all ranks that came, naming the
/// missing, duplicate or disagreeing ranks and what they disagree about.
Result<process::Membership> form_world(const Launch& launch, std::string_view agreement,
                                       std::chrono::milliseconds join_timeout);

}  // namespace rondo
