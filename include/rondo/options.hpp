#pragma once

// What a world is made with.

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rondo/schedule.hpp"

namespace rondo {

/// What is not set is taken from the environment variable of the same name (RONDO_TIMEOUT_MS …)
/// by from_env() and join(), and else has the default named here. A file that is named here and
/// cannot be used is an error. One that a variable names is not: where any rank cannot use it, none
/// does, and the lowest such rank says why on standard error.
struct Options {
  std::optional<std::chrono::milliseconds> timeout = {};       ///< of one collective; 30 s
  std::optional<std::chrono::milliseconds> join_timeout = {};  ///< of a world; 60 s
  std::optional<Algorithm> algorithm = {};  ///< of the collectives that have it; automatic
  /// Of single collectives, which goes before `algorithm`; automatic.
  std::vector<std::pair<Collective, Algorithm>> algorithms = {};
  std::optional<int> radix = {};  ///< of knomial trees; automatic
  /// Bytes of a segment on their way at once, 0 for whole segments; automatic.
  std::optional<std::size_t> tile_bytes = {};
  /// What carries data between processes: "shm", memory shared with ranks of the same host; "tcp";
  /// "mpi", the messages of an MPI library, which then says who the ranks are; or "auto": shm where
  /// it reaches, else tcp. "auto".
  std::optional<std::string> transport = {};
  /// What this rank shares with all others of its host, whatever the number of communicators; each
  /// link for which that is too little gets 19 KiB all the same. From 64 KiB on. 4 MiB.
  std::optional<std::size_t> shared_bytes = {};
  /// How steps of ranks wait for each other whose devices are connected: "streams" wait for words
  /// and hold no multiprocessor, "kernels" look at words until they are written; or "auto": streams
  /// where several processes share a device, else kernels. The same on all ranks. "auto".
  std::optional<std::string> device_order = {};
  /// Up to so many bytes from a rank to another one go in packets where kernels wait; 0: nothing
  /// does. Twice as many for each rank are allocated on each device. The same on all ranks. 16 KiB.
  std::optional<std::size_t> device_packet_bytes = {};
  /// File of topology text, as `rondo topo --text` writes it: where the ranks of the world live. It
  /// is the same on all ranks. Without it they look for themselves.
  std::optional<std::string> topology = {};
  /// File of cost text, as `rondo topo --costs` writes it: what links cost. It is the same on all
  /// ranks. Without it they measure, so that plans may differ from run to run; "default" stands for
  /// constants, by which they do not.
  std::optional<std::string> costs = {};
  /// File of choices, as `rondo tune --save` writes it. It is the same on all ranks. What it says
  /// nothing about is predicted from topology and costs.
  std::optional<std::string> plan_file = {};
  /// Called every so often while a call waits for other ranks, by the thread that carries it out.
  /// For programs that have to let another library move on meanwhile, as MPI wants it of blocking
  /// calls. It takes a microsecond at most, does not throw, and makes no call on a communicator.
  std::function<void()> progress = {};
};

}  // namespace rondo
