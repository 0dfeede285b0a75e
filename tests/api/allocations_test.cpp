// A call like earlier ones takes no memory from the heap.

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "api/inputs.hpp"

namespace {

std::atomic<std::size_t> allocations = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(bytes == 0 ? 1 : bytes);
}
// Not inlined: where only one of the two is, compilers see a free() of what new gave.
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace rondo {
namespace {

constexpr int calls = 50;

// Several kinds of calls in turn, each with buffers of its own in each call.
class Caller {
 public:
  explicit Caller(Communicator& comm)
      : comm_(comm), persistent_(comm.allreduce_init(std::span(large_))) {}

  void call() {
    const std::size_t place = ++calls_ % places;
    const std::span<float> own = std::span(small_).subspan(place, 1);
    comm_.allreduce(own);
    comm_.allreduce(own, Op::max);
    comm_.broadcast(std::span(large_), 0);
    comm_.allgather(std::span(all_).first(static_cast<std::size_t>(comm_.size())));
    comm_.barrier();
    persistent_.start();
    persistent_.wait();
  }

 private:
  static constexpr std::size_t places = 7;
  std::vector<float> small_ = std::vector<float>(places);
  std::vector<float> large_ = std::vector<float>(512);
  std::vector<float> all_ = std::vector<float>(8);
  std::size_t calls_ = 0;
  Communicator& comm_;
  Persistent persistent_;
};

std::size_t allocations_of_calls(Communicator& comm) {
  Caller caller(comm);
  for (int i = 0; i < calls; ++i) caller.call();
  const std::size_t before = allocations;
  for (int i = 0; i < calls; ++i) caller.call();
  const std::size_t needed = allocations - before;
  comm.barrier();  // word of a rank that leaves takes memory
  return needed;
}

TEST(Allocations, AreCounted) {
  const std::size_t before = allocations;
  ::operator delete(::operator new(8));
  EXPECT_EQ(allocations - before, 1u);
}

TEST(Allocations, RepeatedCallsNeedNone) {
  for (const int ranks : {1, 2}) {
    testing::on_processes_over("shm", ranks, {}, [](Communicator& comm) {
      EXPECT_EQ(allocations_of_calls(comm), 0u) << comm.transport();
    });
  }
}

// What is kept for calls of one kind must not be used for another one.
TEST(Allocations, CallsOfManyKindsDoNotGetInEachOthersWay) {
  testing::on_world(2, {}, [](Communicator& comm) {
    const auto size = static_cast<float>(comm.size());
    for (int turn = 0; turn < 2; ++turn) {
      for (std::size_t count = 0; count < 70; ++count) {
        std::vector<float> values(count, 2.0f);
        comm.allreduce(values);
        EXPECT_EQ(values, std::vector<float>(count, 2 * size));
        comm.allreduce(values, Op::max);
        EXPECT_EQ(values, std::vector<float>(count, 2 * size));
        std::vector<double> wide(count, 3.0);
        comm.allreduce(wide, Op::prod);
        EXPECT_EQ(wide, std::vector<double>(count, 9.0));
        for (int root = 0; root < 2; ++root) {
          std::vector<float> told(count, static_cast<float>(comm.rank()));
          comm.broadcast(told, root);
          EXPECT_EQ(told, std::vector<float>(count, static_cast<float>(root)));
        }
      }
    }
  });
}

}  // namespace
}  // namespace rondo
