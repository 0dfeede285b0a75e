#pragma once

// Worlds of rondo among the ranks of a process group, and their errors as PyTorch's exceptions.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "bind/torch/torch_version.hpp"
#include "rondo/rondo.h"

namespace rondo_torch {

struct FreeComm {
  void operator()(rondo_comm* comm) const { rondo_comm_free(comm); }
};
using Comm = std::unique_ptr<rondo_comm, FreeComm>;

/// Who calls, for texts of errors.
struct Member {
  int rank;
  int size;
  std::string group;                   ///< name of the process group
  std::vector<uint64_t> global_ranks;  ///< of its members; empty where nobody said
  std::string shown_as;                ///< the backend in profiles: "rondo", or what it replaces

  std::string text() const;
  /// " (global rank 5)" of a rank that has another number in the world, else "".
  std::string global_name(int of_rank) const;
};

/// All ranks of the group call it. They meet in `store`. Throws c10::DistBackendError.
Comm join_world(c10d::Store& store, const Member& member, std::chrono::milliseconds timeout);

/// Throws c10::DistBackendError with the last error of `comm`, unless `status` is RONDO_OK.
void require(rondo_status status, const rondo_comm* comm, const Member& member);

/// What an exception says, without the frames that PyTorch's have.
std::string text_of(const std::exception& error);

/// The deadline of the calls on a communicator that follow; `shown` is what it is now.
void set_deadline(rondo_comm* comm, std::chrono::milliseconds wanted,
                  std::chrono::milliseconds& shown);

}  // namespace rondo_torch
