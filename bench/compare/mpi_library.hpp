#pragma once

// An MPI library as one that is measured.

#include <mpi.h>

#include <cstddef>
#include <functional>
#include <string>

#include "bench/library.hpp"
#include "bench/options.hpp"

namespace rondo::bench {

/// Errors of the library end the job, as MPI does unless told otherwise.
class Mpi final : public Library {
 public:
  Mpi() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  /// "Open MPI v4.1.4", "MPICH Version: 4.0.2": the words of the first line of what the library
  /// says of itself, up to the first comma.
  std::string name() const override;
  void run(const ErasedCall& call) override;

 private:
  void run_reduction(const ErasedCall& call, int count, MPI_Datatype type) const;
  void run_movement(const ErasedCall& call, int count, MPI_Datatype type) const;
  /// Bytes before this rank's block of all of them.
  std::size_t own_block(const ErasedCall& call) const;

  int rank_ = 0;
  int size_ = 1;
};

/// The main function of a program that measures with an MPI library: reads the flags, and runs
/// `measure` between MPI_Init and MPI_Finalize. A rank that cannot go on ends the job: the others
/// would wait for it.
int run_mpi_program(const char* program, int count, char** values,
                    const std::function<int(Mpi& mpi, const Options& options)>& measure);

}  // namespace rondo::bench
