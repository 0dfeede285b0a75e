#pragma once

// MPI's point-to-point messages as a fabric. All calls of MPI here are nonblocking, and go to the
// PMPI names: tools that count or replace a program's calls have no part in them.

#include <mpi.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/fabric.hpp"

namespace rondo::mpi {

/// "MPI_Isend: MPI_ERR_RANK: invalid rank" as an Error{io}.
Error error_of(std::string_view call, int code);

class MpiFabric final : public Fabric {
 public:
  /// Takes over a communicator of its own, whose ranks are those of the world.
  explicit MpiFabric(MPI_Comm comm);
  /// Gives what is on its way out a moment, and frees the communicator.
  ~MpiFabric() override;

  MPI_Comm comm() const { return comm_; }

  std::string_view name() const override { return "mpi"; }
  Result<> permits_caller() const override;
  Result<> permits_every_thread() const override;
  int open_stream() override;
  Packet* take() override;
  void give_back(Packet* packet) override;
  Result<> send(Packet& packet, int to, int stream) override;
  Result<> receive(Packet& packet, int from, int stream) override;
  Result<bool> is_done(Packet& packet) override;

 private:
  struct Slot;

  Result<> require_mpi() const;
  void reap_orphans();

  MPI_Comm comm_;
  int level_ = MPI_THREAD_SINGLE;
  unsigned most_streams_ = 32767;
  std::atomic<unsigned> streams_ = 0;

  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<Slot>> idle_;
  std::vector<std::unique_ptr<Slot>> orphans_;  // under way, and nobody waits for them
};

}  // namespace rondo::mpi
