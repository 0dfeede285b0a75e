// bare-allreduce: what an allreduce of float32 between two processes of this machine takes when
// there is nothing but memory, flags and the kernels of rondo: no library, no checks, no way to
// fail. Each size is measured in every way that follows; the fastest is printed, in microseconds.
//
//   whole   each process gives the other one all it has, and both sum up
//   halves  each sums up one half, tile by tile, through slots that stay in the cache, and gives
//           back the result; stores into slots and of results are plain, or go past the cache
//
// Each call has other buffers, 1,000 of them or as many as fit into 64 MiB, as in rondo-perf; with
// --hot always the same. --size measures one size instead of 4 B to 64 MiB.

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "bench/compare/cores.hpp"
#include "bench/sizes.hpp"
#include "execute/reduction.hpp"
#include "rondo/error.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Counter = std::atomic<std::uint64_t>;

constexpr std::size_t area = 64 << 20;
constexpr std::size_t most_buffers = 1000;
constexpr std::size_t slots = 8;
constexpr std::size_t most_tile = 128 << 10;
constexpr std::size_t most_whole = 64 << 10;

struct alignas(128) Flag {
  Counter count = 0;
};

/// What the two processes share; of each pair one belongs to each.
struct Shared {
  std::array<Flag, 2> given;
  std::array<Flag, 2> summed;
  Flag arrived;
  std::array<std::array<std::byte, slots * most_tile>, 2> parts;
  std::array<std::array<std::byte, slots * most_tile>, 2> sums;
};

struct Way {
  const char* name = "";
  std::size_t tile = 0;  // 0: whole
  rondo::Store into_slots = rondo::Store::cached;
  rondo::Store of_results = rondo::Store::cached;
};

void await(const Flag& flag, std::uint64_t count) {
  while (flag.count.load(std::memory_order_acquire) < count) {
  }
}

class Process {
 public:
  Process(Shared& shared, int rank)
      : shared_(shared),
        own_(rank),
        other_(1 - rank),
        reduction_(rondo::DType::f32, rondo::Op::sum) {}

  void meet() {
    shared_.arrived.count.fetch_add(1, std::memory_order_acq_rel);
    await(shared_.arrived, 2 * ++meetings_);
  }

  void allreduce(const Way& way, const std::byte* in, std::byte* out, std::size_t bytes) {
    if (way.tile == 0) return exchange_whole(way, in, out, bytes);
    exchange_halves(way, in, out, bytes / 2);
  }

 private:
  void sum(std::byte* to, const std::byte* a, const std::byte* b, std::size_t bytes) const {
    const std::array<const void*, 2> both = {a, b};
    reduction_.into(to, both, bytes / sizeof(float));
  }

  void exchange_whole(const Way& way, const std::byte* in, std::byte* out, std::size_t bytes) {
    const std::size_t slot = done_ % slots * most_whole;
    rondo::copy_bytes(shared_.parts[own_].data() + slot, in, bytes, way.into_slots);
    ++done_;
    shared_.given[own_].count.store(done_, std::memory_order_release);
    await(shared_.given[other_], done_);
    sum(out, shared_.parts[other_].data() + slot, in, bytes);
    shared_.summed[own_].count.store(done_, std::memory_order_release);
    await(shared_.summed[other_], done_ < slots ? 0 : done_ - slots + 2);
  }

  void exchange_halves(const Way& way, const std::byte* in, std::byte* out, std::size_t half) {
    constexpr std::size_t ahead = 2;
    const std::size_t tiles = (half + way.tile - 1) / way.tile;
    const auto bytes_of = [&](std::size_t t) { return std::min(way.tile, half - t * way.tile); };
    const auto slot_of = [&](std::size_t t) { return (done_ + t) % slots * way.tile; };
    const auto give = [&](std::size_t t) {
      rondo::copy_bytes(shared_.parts[own_].data() + slot_of(t), in + other_ * half + t * way.tile,
                        bytes_of(t), way.into_slots);
      shared_.given[own_].count.store(done_ + t + 1, std::memory_order_release);
    };
    for (std::size_t t = 0; t < std::min(ahead, tiles); ++t) give(t);
    for (std::size_t t = 0; t <= tiles; ++t) {
      if (t < tiles) {
        await(shared_.given[other_], done_ + t + 1);
        add(way, slot_of(t), in + own_ * half + t * way.tile, out + own_ * half + t * way.tile,
            bytes_of(t));
        shared_.summed[own_].count.store(done_ + t + 1, std::memory_order_release);
        if (t + ahead < tiles) give(t + ahead);
      }
      if (t == 0) continue;
      await(shared_.summed[other_], done_ + t);
      rondo::copy_bytes(out + other_ * half + (t - 1) * way.tile,
                        shared_.sums[other_].data() + slot_of(t - 1), bytes_of(t - 1),
                        way.of_results);
    }
    done_ += tiles;
  }

  void add(const Way& way, std::size_t slot, const std::byte* in, std::byte* out,
           std::size_t bytes) const {
    std::byte* const result = shared_.sums[own_].data() + slot;
    const std::byte* const part = shared_.parts[other_].data() + slot;
    if (way.of_results == rondo::Store::cached) {
      sum(out, part, in, bytes);
      return rondo::copy_bytes(result, out, bytes, way.into_slots);
    }
    const std::array<const void*, 2> both = {part, in};
    reduction_.into_both(out, result, way.into_slots, both, bytes / sizeof(float));
  }

  Shared& shared_;
  std::size_t own_;
  std::size_t other_;
  rondo::Reduction reduction_;
  std::uint64_t done_ = 0;  // slots used so far
  std::uint64_t meetings_ = 0;
};

std::vector<Way> ways_for(std::size_t bytes) {
  using rondo::Store;
  std::vector<Way> ways;
  for (const Store slot : {Store::cached, Store::streaming}) {
    if (bytes <= most_whole) ways.push_back({"whole", 0, slot, Store::cached});
    for (const std::size_t tile : {1024, 4096, 16 << 10, 64 << 10, 128 << 10}) {
      const bool are_few = bytes / tile <= 2048;
      if (bytes < 2048 || tile > bytes / 2 || !are_few) continue;
      for (const Store result : {Store::cached, Store::streaming}) {
        ways.push_back({"halves", tile, slot, result});
      }
    }
  }
  return ways;
}

void* mapped(std::size_t bytes, int kind) {
  void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

const char* word(rondo::Store store) {
  return store == rondo::Store::cached ? "plain" : "past the cache";
}

/// The fastest way for a size, as the middle one of some calls.
void measure(Process& process, bool is_hot, std::size_t bytes, const std::byte* in, std::byte* out,
             bool prints) {
  const std::size_t stride = (bytes + 63) / 64 * 64;  // each buffer begins with a line
  const std::size_t buffers = is_hot ? 1 : std::min(area / stride, most_buffers);
  const std::size_t calls = bytes >= (16 << 20) ? 15 : bytes >= (1 << 20) ? 60 : 2000;
  double best = 0;
  Way best_way;
  for (const Way& way : ways_for(bytes)) {
    std::vector<double> times;
    process.meet();
    for (std::size_t i = 0; i < calls; ++i) {
      const std::size_t place = i % buffers * stride;
      const auto start = Clock::now();
      process.allreduce(way, in + place, out + place, bytes);
      times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(calls / 2),
                     times.end());
    const double median = times[calls / 2];
    if (best == 0 || median < best) {
      best = median;
      best_way = way;
    }
  }
  if (!prints) return;
  std::printf("%10zu %10.2f   %s", bytes, best, best_way.name);
  if (best_way.tile > 0) std::printf(", tiles of %zu bytes", best_way.tile);
  std::printf("; slots %s, results %s\n", word(best_way.into_slots), word(best_way.of_results));
  std::fflush(stdout);
}

struct Options {
  bool is_hot = false;
  std::vector<std::size_t> sizes;
  bool help = false;
};

/// Halves of whole floats: both processes sum up as many.
bool is_measurable(std::size_t bytes) {
  return bytes == 4 || (bytes > 0 && bytes % 8 == 0 && bytes <= area);
}

rondo::Result<Options> parse_options(std::span<char* const> arguments) {
  constexpr auto refused = rondo::ErrorCode::invalid_argument;
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view flag = arguments[i];
    if (flag == "--help" || flag == "-h") {
      options.help = true;
    } else if (flag == "--hot") {
      options.is_hot = true;
    } else if (flag == "--size") {
      const std::string_view value = ++i < arguments.size() ? arguments[i] : "(nothing)";
      const auto bytes = rondo::bench::parse_size(value);
      if (!is_measurable(bytes.value_or(0))) {
        return rondo::Error(refused, rondo::concat("--size ", value, ": expected 4, or a multiple ",
                                                   "of 8 up to 64M, such as 64, 4K or 1M"));
      }
      options.sizes.push_back(*bytes);
    } else {
      return rondo::Error(refused, rondo::concat("unknown flag ", flag, "; see --help"));
    }
  }
  if (options.sizes.empty()) options.sizes = rondo::bench::sweep(4, area, 4, 0);
  return options;
}

constexpr const char* usage =
    "Usage: bare-allreduce [--size BYTES]... [--hot]\n"
    "Two processes, on the first two cores that this one may run on, and no library between them.\n"
    "  --size BYTES   measures this size instead of 4, 16, 64 ... 64M; may be given several times\n"
    "  --hot          always the same buffers, which stay in the caches\n";

/// A process of its own for each rank, which are the same but for that.
int measure_all(const Options& options, const std::vector<int>& cores) {
  void* const memory = mapped(sizeof(Shared), MAP_SHARED);
  auto* const in = static_cast<std::byte*>(mapped(area, MAP_PRIVATE));
  auto* const out = static_cast<std::byte*>(mapped(area, MAP_PRIVATE));
  if (memory == nullptr || in == nullptr || out == nullptr) {
    std::perror("bare-allreduce: no memory");
    return 1;
  }
  auto* const shared = new (memory) Shared;
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("bare-allreduce: no second process");
    return 1;
  }
  if (child == 0) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int rank = child == 0 ? 1 : 0;
  if (!rondo::bench::settle(cores[static_cast<std::size_t>(rank)])) {
    std::perror("bare-allreduce: cannot keep to one core");
    ::kill(child == 0 ? ::getppid() : child, SIGKILL);
    return 1;
  }
  std::memset(in, 0, area);
  std::memset(out, 1, area);
  if (rank == 0) std::puts("     bytes         µs   fastest way");
  Process process(*shared, rank);
  for (const std::size_t bytes : options.sizes) {
    measure(process, options.is_hot, bytes, in, out, rank == 0);
  }
  process.meet();
  if (rank == 0) ::waitpid(child, nullptr, 0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = parse_options({argv + 1, static_cast<std::size_t>(argc - 1)});
  if (!options) {
    std::fprintf(stderr, "bare-allreduce: %s\n", options.error().text().c_str());
    return 2;
  }
  if (options.value().help) {
    std::fputs(usage, stdout);
    return 0;
  }
  const std::vector<int> cores = rondo::bench::own_cores();
  if (cores.size() < 2) {
    std::fprintf(stderr,
                 "bare-allreduce: two cores are needed, and this process may run on %zu: allow it "
                 "more (taskset -c 0,1)\n",
                 cores.size());
    return 1;
  }
  return measure_all(options.value(), cores);
}
