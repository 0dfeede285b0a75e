// copy-bandwidth: what the memory of this machine can do. Several processes at once, each on a core
// of its own, copy from one large buffer to another with stores that go past the caches. Prints
// the bytes that they read and wrote in a second.

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>
#include <vector>

#include "bench/compare/cores.hpp"
#include "bench/sizes.hpp"
#include "execute/reduction.hpp"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int most_processes = 256;
constexpr int copies = 10;

/// What the processes share.
struct Meeting {
  pthread_barrier_t start;
  std::array<Clock::time_point, most_processes> begin;
  std::array<Clock::time_point, most_processes> end;
};

// The reduction of one source is a copy, by the widest vectors that the machine has.
void copy(std::byte* to, const std::byte* from, std::size_t bytes) {
  const void* const source = from;
  rondo::reduce(rondo::DType::u64, rondo::Op::sum, to, {&source, 1}, bytes / sizeof(std::uint64_t),
                1, rondo::Store::streaming);
}

void copy_again_and_again(Meeting& meeting, std::size_t process, std::size_t bytes) {
  constexpr std::align_val_t page{4096};
  const auto room = [&] {
    auto* const memory = static_cast<std::byte*>(::operator new(bytes, page));
    std::memset(memory, 1, bytes);
    return memory;
  };
  const std::byte* const from = room();  // lives as long as the process
  std::byte* const to = room();
  copy(to, from, bytes);
  pthread_barrier_wait(&meeting.start);
  meeting.begin[process] = Clock::now();
  for (int i = 0; i < copies; ++i) copy(to, from, bytes);
  meeting.end[process] = Clock::now();
}

/// After a failure the others still wait at the barrier: the end of this process ends them.
bool all_succeed(std::size_t children) {
  bool good = true;
  for (std::size_t ended = 0; ended < children && good; ++ended) {
    int status = 0;
    good = wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  return good;
}

/// Bytes read and written in a second; 0 when a process failed.
double measure(std::size_t processes, std::size_t bytes) {
  void* const shared =
      mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return 0;
  auto* const meeting = new (shared) Meeting();
  pthread_barrierattr_t attributes;
  pthread_barrierattr_init(&attributes);
  pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&meeting->start, &attributes, static_cast<unsigned>(processes));

  const std::vector<int> cores = rondo::bench::own_cores();
  for (std::size_t i = 0; i < processes; ++i) {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (cores.empty() || !rondo::bench::settle(cores[i % cores.size()])) _exit(1);
      copy_again_and_again(*meeting, i, bytes);
      _exit(0);
    }
  }
  if (!all_succeed(processes)) return 0;
  const auto begin = *std::min_element(meeting->begin.begin(), meeting->begin.begin() + processes);
  const auto end = *std::max_element(meeting->end.begin(), meeting->end.begin() + processes);
  const double moved = 2.0 * copies * static_cast<double>(bytes) * static_cast<double>(processes);
  return moved / std::chrono::duration<double>(end - begin).count();
}

}  // namespace

int main(int count, char** values) {
  const int processes = count == 3 ? std::atoi(values[1]) : 0;
  const auto bytes = count == 3 ? rondo::bench::parse_size(values[2]) : std::nullopt;
  if (processes < 1 || processes > most_processes || bytes.value_or(0) < 4096) {
    std::cerr << "Usage: copy-bandwidth PROCESSES SIZE\nPROCESSES: 1 to " << most_processes
              << ", SIZE: 4K or more, such as 64M\n";
    return 2;
  }
  const double traffic = measure(static_cast<std::size_t>(processes), *bytes);
  if (traffic == 0) {
    std::cerr << "copy-bandwidth: a process failed: no memory, or no core to settle on\n";
    return 1;
  }
  std::cout << "{\"processes\": " << processes << ", \"bytes\": " << *bytes
            << ", \"traffic_gbps\": " << traffic * 1e-9 << "}\n";
}
