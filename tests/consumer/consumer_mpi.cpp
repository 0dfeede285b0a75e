// An MPI program that takes rondo along.

#include <mpi.h>

#include <rondo/mpi.hpp>

#include <cstdio>
#include <span>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  {
    rondo::Communicator comm = rondo::from_mpi(MPI_COMM_WORLD);
    float value = comm.rank() == 0 ? 2 : 0.5f;
    comm.allreduce(std::span(&value, 1));
    if (comm.rank() == 0) {
      std::printf("%g among %d ranks\n", static_cast<double>(value), comm.size());
    }
  }
  MPI_Finalize();
  return 0;
}
