// The means of MPI by which ranks become a world: rondo/mpi.hpp, and the entry by which librondo
// asks for them where a program names the transport mpi and knows nothing of MPI itself.

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "bind/await.hpp"
#include "bind/mpi/mpi_fabric.hpp"
#include "rondo/mpi.hpp"

namespace rondo {

namespace {

using std::chrono::milliseconds;

/// Whether a nonblocking collective was done in time.
bool await(MPI_Request& request, milliseconds patience) {
  return bind::await(
      [&] {
        int is_done = 0;
        const int code = PMPI_Test(&request, &is_done, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS) throw mpi::error_of("MPI_Test", code);
        return is_done != 0;
      },
      patience);
}

[[noreturn]] void late(int size, milliseconds patience) {
  throw Error(ErrorCode::join_failed,
              "not all " + std::to_string(size) +
                  " ranks of the MPI communicator came together within " +
                  std::to_string(patience.count()) +
                  " ms: all of them have to call rondo::from_mpi(); raise the join timeout where "
                  "some are busy for longer");
}

/// What MPI may still write into after a rank has stopped waiting; it is never freed then.
struct Table {
  std::vector<std::byte> mine;
  std::vector<std::byte> all;
};

void allgather(MPI_Comm comm, milliseconds patience, std::span<const std::byte> mine,
               std::span<std::byte> all) {
  if (mine.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw Error(ErrorCode::unsupported, "MPI counts in ints, and cannot pass " +
                                            std::to_string(mine.size()) + " bytes at once");
  }
  auto table = std::make_unique<Table>();
  table->mine.assign(mine.begin(), mine.end());
  table->all.resize(all.size());
  const int count = static_cast<int>(mine.size());
  MPI_Request request = MPI_REQUEST_NULL;
  const int code = PMPI_Iallgather(table->mine.data(), count, MPI_BYTE, table->all.data(), count,
                                   MPI_BYTE, comm, &request);
  if (code != MPI_SUCCESS) throw mpi::error_of("MPI_Iallgather", code);
  if (!await(request, patience)) {
    (void)table.release();
    int size = 0;
    PMPI_Comm_size(comm, &size);
    late(size, patience);
  }
  if (!all.empty()) std::memcpy(all.data(), table->all.data(), all.size());
}

[[noreturn]] void refuse(const char* text) {
  throw Error(ErrorCode::invalid_argument, text);
}

void require_mpi() {
  int is_there = 0;
  PMPI_Initialized(&is_there);
  if (is_there == 0) refuse("call MPI_Init_thread before rondo::from_mpi()");
  int is_over = 0;
  PMPI_Finalized(&is_over);
  if (is_over != 0) refuse("rondo::from_mpi() comes too late, MPI_Finalize was called already");
}

void finalize() {
  int is_over = 0;
  PMPI_Finalized(&is_over);
  if (is_over == 0) PMPI_Finalize();
}

}  // namespace

OutOfBand out_of_band(MPI_Comm comm, milliseconds patience) {
  require_mpi();
  if (comm == MPI_COMM_NULL) refuse("MPI_COMM_NULL has no ranks");
  int is_inter = 0;
  PMPI_Comm_test_inter(comm, &is_inter);
  if (is_inter != 0) refuse("an intercommunicator has two groups of ranks; merge them first");
  OutOfBand means;
  PMPI_Comm_rank(comm, &means.rank);
  PMPI_Comm_size(comm, &means.size);
  // MPI writes it when the duplicate is made, which may be never.
  auto own = std::make_unique<MPI_Comm>(MPI_COMM_NULL);
  MPI_Request request = MPI_REQUEST_NULL;
  const int code = PMPI_Comm_idup(comm, own.get(), &request);
  if (code != MPI_SUCCESS) throw mpi::error_of("MPI_Comm_idup", code);
  if (!await(request, patience)) {
    (void)own.release();
    late(means.size, patience);
  }
  auto fabric = std::make_shared<mpi::MpiFabric>(*own);
  means.allgather = [fabric, patience](std::span<const std::byte> mine, std::span<std::byte> all) {
    allgather(fabric->comm(), patience, mine, all);
  };
  means.fabric = fabric;
  return means;
}

}  // namespace rondo

/// What librondo looks for in this library. MPI is initialised where the program has not done so,
/// and then finalized when the process ends.
extern "C" RONDO_API void rondo_open_means(rondo::OutOfBand* means, std::int64_t patience_ms) {
  int is_there = 0;
  PMPI_Initialized(&is_there);
  if (is_there == 0) {
    int level = MPI_THREAD_SINGLE;
    PMPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &level);
    (void)std::atexit(rondo::finalize);
  }
  *means = rondo::out_of_band(MPI_COMM_WORLD, std::chrono::milliseconds(patience_ms));
}
