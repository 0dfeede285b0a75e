// Packets on plain memory, in random orders of the threads that send and take them.

#include "execute/device/packet_exchange.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "device/kernels/packets.hpp"
#include "execute/stream_world.hpp"

namespace rondo::test {
namespace {

constexpr std::size_t most_words = 2 * units_of(40 * sizeof(std::uint32_t));

// The inboxes of all ranks, and calls one after the other.
class Boxes {
 public:
  explicit Boxes(std::size_t ranks)
      : boxes_(ranks, std::vector<std::uint64_t>(ranks * most_words)) {}

  /// False when threads wait for each other.
  bool run(World& world, const Plan& plan, std::size_t count, std::uint64_t seed);

  std::uint32_t stop = 0;
  std::uint32_t flag = 0;

 private:
  struct Thread {
    std::size_t rank;
    std::size_t number;
    PacketState state = {};
  };
  static constexpr std::size_t threads = 3;

  std::uint64_t* box(std::size_t to, std::size_t from) {
    return boxes_[to].data() + from * most_words;
  }
  PacketArguments arguments(const PacketExchange& exchange, std::size_t rank);
  static Progress advance(const PacketArguments& arguments, Thread& thread) {
    if (arguments.folds) {
      return rondo::advance<std::uint32_t, Op::sum>(arguments, thread.state, thread.number,
                                                    threads);
    }
    return rondo::advance<std::uint8_t, Op::sum>(arguments, thread.state, thread.number, threads);
  }

  std::vector<std::vector<std::uint64_t>> boxes_;
};

PacketArguments Boxes::arguments(const PacketExchange& exchange, std::size_t rank) {
  std::vector<std::uint64_t*> outboxes;
  std::vector<const std::uint64_t*> inboxes;
  for (std::size_t peer = 0; peer < boxes_.size(); ++peer) {
    outboxes.push_back(box(peer, rank));
    inboxes.push_back(exchange.gets[peer] ? box(rank, peer) : nullptr);
  }
  const Result<PacketArguments> made =
      arguments_of(DevicePackets{.dtype = exchange.folds ? DType::u32 : DType::u8,
                                 .op = Op::sum,
                                 .folds = exchange.folds,
                                 .sends = exchange.sends,
                                 .outboxes = outboxes,
                                 .inboxes = inboxes,
                                 .own = exchange.own,
                                 .receives = exchange.receives,
                                 .bytes = exchange.bytes,
                                 .divisor = exchange.divisor,
                                 .rank = static_cast<int>(rank),
                                 .flag = flag,
                                 .stop = &stop});
  if (!made) throw made.error();
  return made.value();
}

bool Boxes::run(World& world, const Plan& plan, std::size_t count, std::uint64_t seed) {
  ++flag;
  const BufferBases bases = world.bases();
  std::vector<PacketArguments> all;
  std::vector<Thread> left;
  for (std::size_t rank = 0; rank < world.size(); ++rank) {
    const ErasedCall call{.collective = plan.collective,
                          .send = bases[rank][static_cast<std::size_t>(Buffer::in)],
                          .receive = bases[rank][static_cast<std::size_t>(Buffer::out)],
                          .count = count,
                          .dtype = DType::u32,
                          .op = Op::sum,
                          .root = plan.root};
    all.push_back(arguments(packets_of(call, static_cast<int>(rank), plan.ranks), rank));
    for (std::size_t thread = 0; thread < threads; ++thread) left.push_back({rank, thread});
  }
  std::uint64_t in_vain = 0;
  for (std::uint64_t turn = 0; !left.empty(); ++turn) {
    if (in_vain > 4000 * left.size()) return false;
    const std::size_t index = splitmix(seed * 1'000'003 + turn) % left.size();
    const Progress progress = advance(all[left[index].rank], left[index]);
    in_vain = progress == Progress::waiting ? in_vain + 1 : 0;
    if (progress == Progress::over) left.erase(left.begin() + static_cast<std::ptrdiff_t>(index));
  }
  return true;
}

Plan plan_of(Collective collective, int ranks) {
  Plan plan{Algorithm::one_shot, collective, ranks};
  if (collective == Collective::broadcast || collective == Collective::reduce) {
    plan.algorithm = Algorithm::knomial;
  }
  if (collective == Collective::broadcast) plan.root = ranks - 1;
  return plan;
}

// Boxes are never cleared: what is left in them is of another flag.
TEST(Packets, GiveTheResultOfEveryCollectiveInRandomOrders) {
  std::uint64_t seed = 0;
  for (const int ranks : {1, 2, 3, 5, 8}) {
    Boxes boxes(static_cast<std::size_t>(ranks));
    for (int again = 0; again < 6; ++again) {
      for (const Collective collective : of_devices) {
        const Plan plan = plan_of(collective, ranks);
        for (const std::size_t count : {40, 1, 3, 17}) {
          for (const bool in_place : {false, true}) {
            SCOPED_TRACE(concat(name(collective), " of ", count, " among ", ranks,
                                in_place ? " in place" : ""));
            World world(plan, count, in_place);
            ASSERT_TRUE(boxes.run(world, plan, count, ++seed)) << "threads wait for each other";
            world.check();
            if (testing::Test::HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Packets, EndOnceTheyAreStopped) {
  const Plan plan = plan_of(Collective::allreduce, 2);
  Boxes boxes(2);
  boxes.stop = 1;
  World world(plan, 3, false);
  EXPECT_TRUE(boxes.run(world, plan, 3, 1));
  boxes.stop = 0;
  EXPECT_TRUE(boxes.run(world, plan, 3, 1));
  world.check();
}

TEST(Packets, SayWhatNoKernelCanCarryOut) {
  const std::vector<const void*> sends(65, nullptr);
  const std::vector<std::uint64_t*> outboxes(65, nullptr);
  const std::vector<const std::uint64_t*> inboxes(65, nullptr);
  const std::vector<void*> receives(65, nullptr);
  const auto code = [&](std::size_t ranks, std::uint32_t flag, Op op) {
    const Result<PacketArguments> made =
        arguments_of(DevicePackets{.dtype = DType::f32,
                                   .op = op,
                                   .sends = std::span(sends).first(ranks),
                                   .outboxes = std::span(outboxes).first(ranks),
                                   .inboxes = std::span(inboxes).first(ranks),
                                   .receives = std::span(receives).first(ranks),
                                   .flag = flag});
    return made ? std::optional<ErrorCode>() : made.error().code();
  };
  EXPECT_EQ(code(64, 1, Op::sum), std::nullopt);
  EXPECT_EQ(code(65, 1, Op::sum), ErrorCode::invalid_argument);
  EXPECT_EQ(code(64, 0, Op::sum), ErrorCode::invalid_argument) << "as new memory has it";
  EXPECT_EQ(code(64, 1, Op::bxor), ErrorCode::unsupported);
}

}  // namespace
}  // namespace rondo::test
