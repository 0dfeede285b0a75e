#include "bench/check.hpp"

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "bench/shared_world.hpp"

namespace rondo::bench {
namespace {

using testing::Fault;
using testing::on_shared_world;
using testing::SharedLibrary;

/// As that of a device: what the host writes is not there before it was copied.
class OtherMemory final : public BufferMemory {
 public:
  std::byte* allocate(std::size_t bytes) override { return host_memory().allocate(bytes); }
  void deallocate(std::byte* memory) noexcept override { host_memory().deallocate(memory); }
  bool is_hosts() const override { return false; }
};

/// What each rank found.
std::vector<Findings> check_on_all(const Case& c, Fault fault, Check check,
                                   BufferMemory& memory = host_memory()) {
  std::vector<Findings> found(static_cast<std::size_t>(c.ranks));
  on_shared_world(c.ranks, fault, [&](SharedLibrary& library) {
    Arena arena(c.bytes(), 4, memory);
    found[static_cast<std::size_t>(library.rank())] = check_call(library, arena, c, check, 7);
  });
  return found;
}

std::string words(const Case& c) {
  return concat(name_of(c.collective), " ", name(c.dtype), " ", name(c.op), " ranks ", c.ranks,
                " root ", c.root, c.in_place ? " in place" : " out of place");
}

class EveryCollective : public ::testing::TestWithParam<Collective> {};

TEST_P(EveryCollective, RightResultsAreFoundRight) {
  for (const int ranks : {1, 2, 3, 7}) {
    for (int dtype = 0; dtype < dtype_count; ++dtype) {
      for (int op = 0; op < op_count; ++op) {
        if (reduces_prefix(GetParam()) && static_cast<Op>(op) == Op::avg) continue;
        if (!is_defined(static_cast<Op>(op), static_cast<DType>(dtype))) continue;
        for (const Check check : {Check::exact, Check::reference}) {
          for (const bool in_place : {false, true}) {
            const Case c = {
                GetParam(), static_cast<DType>(dtype), static_cast<Op>(op), ranks - 1, ranks, 37,
                in_place};
            const std::vector<Findings> found = check_on_all(c, Fault::none, check);
            for (const Findings& of_rank : found) ASSERT_EQ(of_rank.wrong, 0u) << words(c);
          }
        }
      }
    }
  }
}

TEST_P(EveryCollective, RightResultsInOtherMemoryAreFoundRight) {
  OtherMemory other;
  for (const Check check : {Check::exact, Check::reference}) {
    for (const bool in_place : {false, true}) {
      const Case c = {GetParam(), DType::bf16, Op::sum, 2, 3, 37, in_place};
      const std::vector<Findings> found = check_on_all(c, Fault::none, check, other);
      for (const Findings& of_rank : found) ASSERT_EQ(of_rank.wrong, 0u) << words(c);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Collectives, EveryCollective,
                         ::testing::Values(Collective::allreduce, Collective::broadcast,
                                           Collective::allgather, Collective::reduce_scatter,
                                           Collective::reduce, Collective::gather,
                                           Collective::scatter, Collective::alltoall,
                                           Collective::scan, Collective::exscan));

void expect_caught(const Case& c, Fault fault, Check check) {
  OtherMemory other;
  for (BufferMemory* const memory : {&host_memory(), static_cast<BufferMemory*>(&other)}) {
    for (const Findings& of_rank : check_on_all(c, fault, check, *memory)) {
      EXPECT_GT(of_rank.wrong, 0u) << words(c) << " fault " << static_cast<int>(fault);
    }
  }
}

TEST(Faults, WrongElementsAreCountedOnAllRanks) {
  const Case c = {Collective::allreduce, DType::f32, Op::sum, 0, 3, 37, false};
  for (const Findings& of_rank : check_on_all(c, Fault::wrong_element, Check::exact)) {
    EXPECT_EQ(of_rank.wrong, 1u);
  }
}

TEST(Faults, BrokenResultsAreCaughtForEveryCollective) {
  for (int collective = 0; collective < collective_count; ++collective) {
    const auto kind = static_cast<Collective>(collective);
    if (kind == Collective::barrier) continue;
    for (const bool in_place : {false, true}) {
      for (const Fault fault : {Fault::wrong_element, Fault::shifted, Fault::past_the_end}) {
        const Case c = {kind, DType::i32, Op::sum, kind == Collective::exscan ? 1 : 0,
                        3,    37,         in_place};
        expect_caught(c, fault, Check::exact);
      }
    }
  }
}

TEST(Faults, BrokenReductionsAreCaughtForEveryTypeAndOperation) {
  for (int dtype = 0; dtype < dtype_count; ++dtype) {
    for (int op = 0; op < op_count; ++op) {
      if (!is_defined(static_cast<Op>(op), static_cast<DType>(dtype))) continue;
      for (const Fault fault : {Fault::wrong_element, Fault::shifted, Fault::missing_contribution,
                                Fault::doubled_contribution}) {
        const Case c = {
            Collective::allreduce, static_cast<DType>(dtype), static_cast<Op>(op), 0, 4, 64, false};
        expect_caught(c, fault, Check::exact);
      }
    }
  }
}

TEST(Faults, ChangedInputsAreCaught) {
  for (const Collective collective :
       {Collective::allreduce, Collective::allgather, Collective::reduce_scatter,
        Collective::reduce, Collective::gather, Collective::alltoall, Collective::scan,
        Collective::exscan}) {
    expect_caught({collective, DType::f64, Op::sum, 0, 2, 9, false}, Fault::input_changed,
                  Check::exact);
  }
  expect_caught({Collective::reduce, DType::f64, Op::sum, 0, 2, 9, true}, Fault::input_changed,
                Check::exact);
  expect_caught({Collective::reduce_scatter, DType::f64, Op::sum, 0, 2, 9, true},
                Fault::input_changed, Check::exact);
}

TEST(Faults, ReceiversThatWereNotAskedAreCaught) {
  expect_caught({Collective::reduce, DType::f32, Op::sum, 1, 3, 9, false}, Fault::unasked_receiver,
                Check::exact);
}

TEST(Faults, DifferentBitsWithinRoundingAreCaughtByTheReferenceCheck) {
  const Case c = {Collective::allreduce, DType::f64, Op::sum, 0, 4, 64, false};
  expect_caught(c, Fault::last_bit_of_one_rank, Check::reference);
  expect_caught(c, Fault::other_bits_next_time, Check::reference);
}

}  // namespace
}  // namespace rondo::bench
