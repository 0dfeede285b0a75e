// The conformance kit over MPI's messages: each rank of mpirun is a rank of every check.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <mpi.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "base/text.hpp"
#include "bootstrap/out_of_band.hpp"
#include "rondo/mpi.hpp"
#include "transport/conformance.hpp"
#include "transport/route/make.hpp"

namespace {

using rondo::Launch;
using rondo::Transport;

constexpr std::chrono::seconds patience(60);
constexpr int most_ranks = 64;

int own_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

// Ranks that share cores give them away while they wait.
void barrier() {
  MPI_Request request;
  MPI_Ibarrier(MPI_COMM_WORLD, &request);
  for (int is_done = 0; is_done == 0;) {
    MPI_Test(&request, &is_done, MPI_STATUS_IGNORE);
    if (is_done == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

template <class T>
T value_of(rondo::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(result).value();
}

// The first ranks of the job are a world of their own; this process may be none of them.
std::vector<std::unique_ptr<Transport>> make_world(int ranks) {
  int all = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &all);
  if (ranks > all) throw std::runtime_error(rondo::concat("needs mpirun -np ", ranks));
  const int rank = own_rank();
  const bool is_member = rank < ranks;
  MPI_Comm part;
  MPI_Comm_split(MPI_COMM_WORLD, is_member ? 0 : 1, rank, &part);
  std::vector<std::unique_ptr<Transport>> world(static_cast<std::size_t>(ranks));
  if (is_member) {
    const rondo::OutOfBand means = rondo::out_of_band(part, patience);
    Launch launch;
    launch.rank = rank;
    launch.size = ranks;
    auto membership = value_of(form_world(launch, means, std::string()));
    membership.medium = rondo::process::Medium::fabric;
    membership.fabric = means.fabric;
    world[static_cast<std::size_t>(rank)] = value_of(
        rondo::process::make_transport(std::move(membership), Transport::Clock::now() + patience));
  }
  MPI_Comm_free(&part);
  return world;
}

struct Shared {
  std::atomic<int> stages[most_ranks];
  std::atomic<bool> stopped;
};

// Memory of all processes, which are on one host: a file that is gone as soon as all have it.
Shared& share_memory() {
  std::string path = std::filesystem::temp_directory_path() / "rondo-conformance-XXXXXX";
  path.resize(PATH_MAX);
  int file = -1;
  if (own_rank() == 0) {
    file = ::mkstemp(path.data());
    if (::ftruncate(file, sizeof(Shared)) != 0) throw std::runtime_error("ftruncate");
  }
  MPI_Bcast(path.data(), PATH_MAX, MPI_CHAR, 0, MPI_COMM_WORLD);
  if (own_rank() != 0) file = ::open(path.c_str(), O_RDWR);
  void* const memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("mmap");
  barrier();
  if (own_rank() == 0) ::unlink(path.c_str());
  return *static_cast<Shared*>(memory);
}

// All processes run the same tests; the first one says so, the others only what fails.
class FailuresOnly : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (result.failed()) std::cerr << "process " << own_rank() << ": " << result.message() << "\n";
  }
};

}  // namespace

int main(int argc, char** argv) {
  const char* const wanted = std::getenv("RONDO_TEST_THREADS");
  const bool is_single = wanted != nullptr && std::string_view(wanted) == "single";
  int level = 0;
  MPI_Init_thread(&argc, &argv, is_single ? MPI_THREAD_SINGLE : MPI_THREAD_MULTIPLE, &level);
  Shared& shared = share_memory();
  const rondo::conformance::Processes processes{shared.stages, &shared.stopped, barrier};
  rondo::conformance::Options options;
  options.processes = &processes;
  auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
  if (own_rank() != 0) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailuresOnly());
  }
  const int code = rondo::conformance::run_tests(argc, argv, "mpi", make_world, options);
  MPI_Finalize();
  return code;
}
