// What no rank could carry out is refused, before anything moves, with words that say what is
// wrong.

#include <gmock/gmock.h>

#include "api/inputs.hpp"

namespace rondo {
namespace {

using testing::error_of;
using ::testing::HasSubstr;
using testing::on_world;
using testing::Values;
using Numbers = std::vector<std::size_t>;

void refused(const std::function<void()>& call, const char* words) {
  const Error error = error_of(call);
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(error.text(), HasSubstr(words));
}

TEST(Arguments, EvenBlocks) {
  on_world(2, {}, [](Communicator& comm) {
    Values values(8);
    Values other(9);
    const std::span<float> all(values);
    const int me = comm.rank();
    refused([&] { comm.gather(values, other, me); },
            "send elements times size() (16) must equal receive elements at the root (9)");
    refused([&] { comm.gather(other, me); }, "elements at the root (9)");
    refused([&] { comm.gather(values, other, 2); }, "root 2 is outside 0…1");
    refused([&] { comm.scatter(other, values, me); }, "send elements at the root (9)");
    refused([&] { comm.scatter(other, me); }, "elements at the root (9)");
    refused([&] { comm.alltoall(other, values); }, "send elements (9)");
    refused([&] { comm.alltoall(other); }, "send elements (9) must equal size() times");
    refused([&] { comm.alltoall(all.first(6), all.last(6)); }, "overlap");
    refused([&] { comm.scan(values, other); }, "must equal");
    refused([&] { comm.scan(values, Op::avg); }, "use sum, and divide by rank() + 1");
    refused([&] { comm.exscan(values, Op::avg); }, "use sum, and divide by rank()");
    refused([&] { comm.allreduce(values, Op::bxor); },
            "allreduce: bxor, a bitwise operation, is defined for integers only, not for f32");
    refused([&] { comm.scan(values, Op::land); }, "land, a logical operation, is defined for");
    comm.barrier();
  });
}

TEST(Arguments, UnevenBlocks) {
  on_world(2, {}, [](Communicator& comm) {
    Values values(8);
    Values four(4);
    const int me = comm.rank();
    const Numbers halves = {4, 4};
    const Numbers three = {1, 1, 1};
    const Numbers more = {4, 5};
    const Numbers odd = {3, 5};
    refused([&] { comm.allgatherv(four, values, three); }, "counts: there are 3 for 2 ranks");
    refused([&] { comm.allgatherv(four, values, more); },
            "allgatherv: receive elements (8) must equal the sum of its counts (9)");
    refused([&] { comm.allgatherv(four, values, odd); }, "must equal counts[rank()]");
    refused([&] { comm.allgatherv(four, values, halves, three); },
            "displacements: there are 3 for 2 ranks");
    refused([&] { comm.allgatherv(four, values, halves, odd); }, "exceeds its 8 elements");
    refused(
        [&] {
          comm.allgatherv(four, values, halves, Numbers{0, 3});
        },
        "the receive blocks of ranks 0 and 1 overlap");
    refused([&] { comm.reduce_scatterv(values, four, more); }, "the sum of its counts (9)");
    refused([&] { comm.reduce_scatterv(values, four, odd); }, "must equal counts[rank()]");
    refused([&] { comm.gatherv(four, values, me, more); }, "the sum of its counts (9)");
    refused([&] { comm.gatherv(four, values, me, odd); }, "must equal counts[rank()]");
    refused([&] { comm.scatterv(values, four, me, three); }, "there are 3 for 2 ranks");
    refused([&] { comm.scatterv(values, four, me, odd); }, "must equal counts[rank()]");
    refused([&] { comm.alltoallv(values, {more}, values, {more}); }, "the sum of its counts (9)");
    Values others(8);
    refused([&] { comm.alltoallv(values, {halves}, others, {odd}); }, "sends itself 4 elements");
    refused(
        [&] {
          comm.alltoallv(values, {Numbers{3, 5}}, values, {Numbers{3, 5}, Numbers{5, 0}});
        },
        "the same blocks");
    comm.barrier();
  });
}

TEST(Arguments, ErasedCallsAreCheckedToo) {
  on_world(2, {}, [](Communicator& comm) {
    Values values(8);
    Values four(4);
    const Numbers halves = {4, 4};
    const Numbers huge = {4, std::size_t{1} << 62};
    ErasedCall call = {.collective = Collective::allgather,
                       .send = four.data(),
                       .receive = values.data(),
                       .count = 4,
                       .dtype = DType::f32,
                       .uneven = true};
    refused([&] { comm.run(call); }, "has 2 blocks, one a rank, not 0");
    call.receive_blocks = {halves, Numbers{1}};
    refused([&] { comm.run(call); }, "1 displacements do not fit 2 blocks");
    call.receive_blocks = {halves};
    call.count = 3;
    refused([&] { comm.run(call); }, "the own block has 3 elements");
    call.count = 4;
    call.receive = nullptr;
    refused([&] { comm.run(call); }, "the receive buffer is null");
    call.receive = values.data();
    call.receive_blocks = {huge};
    refused([&] { comm.run(call); }, "exceed the memory");
    call = {.collective = Collective::allreduce,
            .send = four.data(),
            .receive = values.data(),
            .count = 4,
            .dtype = DType::f32,
            .uneven = true};
    refused([&] { comm.run(call); }, "allreduce has no blocks that could differ");
    call.collective = Collective::reduce_scatter;
    call.send_blocks = {halves, halves};
    refused([&] { comm.run(call); }, "it has no displacements");
    call = {.collective = Collective::gather,
            .send = values.data() + 1,
            .receive = values.data(),
            .count = 4,
            .dtype = DType::f32,
            .root = comm.rank()};
    refused([&] { comm.run(call); }, "the smaller one at block rank() of the other");
    comm.barrier();
  });
}

}  // namespace
}  // namespace rondo
