#include "plan/device_plan.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "execute/device/stream_clock.hpp"
#include "plan/device_order.hpp"

namespace rondo::testing {
namespace {

constexpr double us = 1e-6;
constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

// Like those of published machines, in round numbers.
constexpr const char* usual_costs =
    "rondo costs 1\n"
    "rank kernel 3us\n"
    "device x latency 2us read 4000GB/s write 4000GB/s\n"
    "device gpu latency 20us read 4000GB/s write 4000GB/s\n"
    "device nvl latency 3us read 400GB/s write 400GB/s\n"
    "device pix latency 5us read 25GB/s write 25GB/s\n"
    "device sys latency 8us read 20GB/s write 20GB/s\n";

DeviceModel model_of(int ranks, const std::function<int(int)>& device_of,
                     const std::function<PathClass(int, int)>& between,
                     const char* costs = usual_costs) {
  std::vector<int> devices;
  std::vector<PathClass> paths;
  for (int rank = 0; rank < ranks; ++rank) {
    devices.push_back(device_of(rank));
    for (int other = 0; other < ranks; ++other) {
      paths.push_back(rank == other ? PathClass::self : between(rank, other));
    }
  }
  return make_device_model(devices, paths, parse_cost_table(costs).value()).value();
}

int own(int rank) {
  return rank;
}

DeviceModel one_device(int ranks, PathClass path = PathClass::same_gpu) {
  return model_of(
      ranks, [](int) { return 0; }, [=](int, int) { return path; });
}

DeviceModel linked(int ranks) {
  return model_of(ranks, own, [](int, int) { return PathClass::nvlink; });
}

// Below PCIe switches, each of which has one way to the host.
DeviceModel below_switches(int ranks, const std::function<int(int)>& switch_of) {
  return model_of(ranks, own, [=](int rank, int other) {
    return switch_of(rank) == switch_of(other) ? PathClass::pix : PathClass::sys;
  });
}
DeviceModel below_switches(int ranks, int each) {
  return below_switches(ranks, [each](int rank) { return rank / each; });
}

// Two ranks on each device.
DeviceModel crowded(int ranks) {
  return model_of(
      ranks, [](int rank) { return rank / 2; },
      [](int rank, int other) {
        return rank / 2 == other / 2 ? PathClass::same_gpu : PathClass::nvlink;
      });
}

std::vector<DeviceModel> machines(int ranks) {
  return {one_device(ranks),
          one_device(ranks, PathClass::self),
          linked(ranks),
          below_switches(ranks, ranks),
          below_switches(ranks, 4),
          crowded(ranks)};
}

Choice choice(const DeviceModel& model, Collective collective, std::uint64_t bytes,
              const Wishes& wishes = {}) {
  Planner planner = make_device_planner(model, wishes);
  return *planner.choose(collective, bytes).value();
}

double chosen_seconds(const Choice& choice) {
  return static_cast<double>(choice.picoseconds) * 1e-12;
}

double seconds(const DeviceModel& model, Algorithm algorithm, std::uint64_t bytes) {
  return StreamClock(model)
      .seconds({algorithm, Collective::allreduce, model.ranks, 0}, bytes)
      .value();
}

TEST(DevicePlan, IsASoundScheduleWhereverThereIsOne) {
  int plans = 0;
  for (int number = 0; number < collective_count; ++number) {
    const auto collective = static_cast<Collective>(number);
    if (!has_device_plan(collective)) continue;
    for (const int ranks : {1, 2, 3, 8}) {
      for (const DeviceModel& model : machines(ranks)) {
        Planner planner = make_device_planner(model, {});
        for (const std::uint64_t bytes : {std::uint64_t{100}, 64 * mib}) {
          const Plan plan = planner.choose(collective, bytes).value()->plan;
          const Result<Schedule> schedule = make_schedule(plan);
          ASSERT_TRUE(schedule) << name(collective) << " among " << ranks;
          EXPECT_TRUE(verify(schedule.value())) << name(collective) << " among " << ranks;
          ++plans;
        }
      }
    }
  }
  EXPECT_EQ(plans, 6 * 4 * 6 * 2);
}

TEST(DevicePlan, ServesAsManyRanksAsAKernelHasSources) {
  const Choice chosen = choice(one_device(most_device_ranks), Collective::allreduce, 64 * mib);
  EXPECT_EQ(chosen.plan.algorithm, Algorithm::two_shot);
}

// A kernel, and 2·P·n bytes through one memory.
TEST(StreamClock, OfOneDeviceCountsWhatItsMemoryMoves) {
  for (const int ranks : {2, 3, 4, 8}) {
    const double moved = 2.0 * ranks * 256 * static_cast<double>(mib) / 4000e9;
    const double time = seconds(one_device(ranks), Algorithm::two_shot, 256 * mib);
    EXPECT_NEAR(time, 3 * us + moved, 1e-3 * moved) << ranks;
  }
}

// (4.5·P - 5)·n bytes instead: of its last P - 1 rounds every other one copies what the one before
// has written. Two ranks do the same either way.
TEST(StreamClock, OfOneDeviceTellsWhatARingLoses) {
  for (const int ranks : {2, 4, 8}) {
    const double direct = seconds(one_device(ranks), Algorithm::two_shot, 4096 * mib);
    const double ring = seconds(one_device(ranks), Algorithm::ring, 4096 * mib);
    EXPECT_NEAR(ring / direct, (4.5 * ranks - 5) / (2.0 * ranks), 0.02) << ranks;
  }
}

// Each port carries what the others have of one part of the sum, and then that part's sum to them.
TEST(StreamClock, BetweenDevicesCountsWhatGoesThroughTheirPorts) {
  const double part = 7.0 / 8 * 256 * static_cast<double>(mib) / 400e9;
  EXPECT_NEAR(seconds(linked(8), Algorithm::two_shot, 256 * mib), 3 * us + 2 * part, 0.01 * part);
}

// Rings wait for a word and begin a kernel again and again.
TEST(StreamClock, CountsKernelsAndTheWordsBetweenThem) {
  const double near = seconds(linked(8), Algorithm::ring, 0);
  const double far = seconds(below_switches(8, 8), Algorithm::ring, 0);
  EXPECT_GE(near, 13 * 3 * us);
  EXPECT_NEAR(far - near, std::round((far - near) / (2 * us)) * 2 * us, 1e-12);
  EXPECT_GE(far - near, 7 * 2 * us);
  EXPECT_NEAR(seconds(linked(8), Algorithm::one_shot, 0), 3 * us, 1e-12);
}

// The same of what leads from processor to processor, with no switch before.
TEST(StreamClock, TheWayBetweenProcessorsIsShared) {
  const auto near = [](PathClass path) {
    return model_of(8, own, [path](int rank, int other) {
      return rank / 4 == other / 4 ? path : PathClass::sys;
    });
  };
  const double switched = seconds(near(PathClass::pix), Algorithm::two_shot, 256 * mib);
  EXPECT_NEAR(seconds(near(PathClass::phb), Algorithm::two_shot, 256 * mib), switched,
              0.05 * switched);
  EXPECT_NEAR(seconds(near(PathClass::node), Algorithm::two_shot, 256 * mib), switched,
              0.05 * switched);
  EXPECT_EQ(choice(near(PathClass::node), Collective::allreduce, 1024 * mib).plan.algorithm,
            choice(near(PathClass::pix), Collective::allreduce, 1024 * mib).plan.algorithm);
}

// What leads from switch to switch goes through one way for four devices.
TEST(StreamClock, BridgesAreSharedByAllBelowThem) {
  const double alone = seconds(below_switches(8, 8), Algorithm::two_shot, 256 * mib);
  const double shared = seconds(below_switches(8, 4), Algorithm::two_shot, 256 * mib);
  const double crossing = 2.0 * 4 * 4 / 8 * 256 * static_cast<double>(mib) / 20e9;
  EXPECT_NEAR(shared, crossing, 0.05 * crossing);
  EXPECT_LT(alone, 0.6 * shared);
}

bool is_direct(const Choice& choice) {
  return choice.plan.algorithm == Algorithm::one_shot ||
         choice.plan.algorithm == Algorithm::two_shot;
}

TEST(DevicePlan, OnOneDeviceIsDirectAtEverySize) {
  for (const int ranks : {2, 3, 4, 5, 8, 16}) {
    for (const PathClass path : {PathClass::self, PathClass::same_gpu}) {
      const DeviceModel model = one_device(ranks, path);
      Planner planner = make_device_planner(model, {});
      StreamClock clock(model);
      for (std::uint64_t bytes = 4; bytes <= 1024 * mib; bytes *= 4) {
        const Choice chosen = *planner.choose(Collective::allreduce, bytes).value();
        const Plan direct{Algorithm::two_shot, Collective::allreduce, ranks, 0};
        const double best = clock.seconds(direct, bytes).value();
        EXPECT_LE(chosen_seconds(chosen), 1.02 * best) << ranks << " ranks, " << bytes;
        EXPECT_TRUE(is_direct(chosen))
            << name(chosen.plan.algorithm) << ", " << ranks << " ranks, " << bytes;
      }
      EXPECT_EQ(choice(model, Collective::allreduce, 256 * mib).plan.algorithm,
                Algorithm::two_shot);
    }
  }
}

TEST(DevicePlan, OverNvlinkIsDirectToo) {
  for (const int ranks : {4, 8}) {
    const DeviceModel model = linked(ranks);
    EXPECT_EQ(choice(model, Collective::allreduce, 256).plan.algorithm, Algorithm::one_shot);
    EXPECT_EQ(choice(model, Collective::allreduce, 256 * mib).plan.algorithm, Algorithm::two_shot);
  }
}

// A ring crosses the bridges twice, what is direct does for every pair.
TEST(DevicePlan, OverTheHostCrossesItsBridgesSeldom) {
  const DeviceModel model = below_switches(8, 4);
  EXPECT_TRUE(is_direct(choice(model, Collective::allreduce, 256)));
  for (const std::uint64_t bytes : {64 * mib, 1024 * mib}) {
    const Choice chosen = choice(model, Collective::allreduce, bytes);
    const bool crosses_seldom =
        chosen.plan.algorithm == Algorithm::ring || chosen.plan.algorithm == Algorithm::two_level;
    EXPECT_TRUE(crosses_seldom) << name(chosen.plan.algorithm);
    const double direct = seconds(model, Algorithm::two_shot, bytes);
    EXPECT_LT(chosen_seconds(chosen), 0.7 * direct);
  }
}

// Ranks of the two switches by turns: in rank order every hop of a ring would cross.
TEST(DevicePlan, NeighboursAreNearWhateverTheirNumbers) {
  const DeviceModel model = below_switches(8, [](int rank) { return rank % 2; });
  const Site site = device_site(model);
  ASSERT_NE(site.near, nullptr);
  const std::vector<int> order(site.near->order().begin(), site.near->order().end());
  EXPECT_EQ(order, (std::vector<int>{0, 2, 4, 6, 1, 3, 5, 7}));
  EXPECT_EQ(site.near->group_sizes(), (std::vector<int>{4, 4}));
  const Choice mixed = choice(model, Collective::allreduce, 1024 * mib);
  const Choice sorted = choice(below_switches(8, 4), Collective::allreduce, 1024 * mib);
  EXPECT_EQ(mixed.plan.algorithm, sorted.plan.algorithm);
  EXPECT_EQ(mixed.picoseconds, sorted.picoseconds);
}

TEST(DevicePlan, GroupsAreWhatSplitsTheRanksWidest) {
  EXPECT_EQ(device_site(one_device(4)).near, nullptr);
  EXPECT_EQ(device_site(linked(4)).near, nullptr);
  const Site site = device_site(crowded(6));
  ASSERT_TRUE(site.has_groups);
  EXPECT_EQ(site.near->group_sizes(), (std::vector<int>{2, 2, 2}));
}

// From there on the root's own way out is what a broadcast takes: it goes out once, in parts.
TEST(DevicePlan, LeavesTheRootsWayOutToAllWhereItIsShort) {
  const auto algorithm = [](const DeviceModel& model, std::uint64_t bytes) {
    return choice(model, Collective::broadcast, bytes).plan.algorithm;
  };
  EXPECT_EQ(algorithm(linked(8), 256 * mib), Algorithm::scatter_allgather);
  EXPECT_EQ(algorithm(linked(8), 256), Algorithm::knomial);
  EXPECT_NE(algorithm(one_device(8), 256 * mib), Algorithm::scatter_allgather);
}

TEST(DevicePlan, GrantsWishesButNotThoseOfPlanFiles) {
  Wishes wishes;
  wishes.algorithm = Algorithm::ring;
  const Choice wished = choice(one_device(4), Collective::allreduce, mib, wishes);
  EXPECT_EQ(wished.plan.algorithm, Algorithm::ring);
  EXPECT_EQ(wished.cause, Cause::wish);
  Wishes ruled;
  ruled.rules = parse_rules("allreduce .. ring tile 64KiB").value();
  ruled.tile_bytes = 64 * kib;
  const Choice free = choice(one_device(4), Collective::allreduce, 64 * mib, ruled);
  EXPECT_EQ(free.plan.algorithm, Algorithm::two_shot);
  EXPECT_EQ(free.tile_bytes, 0u);
}

TEST(DeviceModel, AMissingClassCostsAsTheNextFartherOneElseTheNearer) {
  const DeviceModel model = one_device(2);
  EXPECT_DOUBLE_EQ(model.cost(PathClass::phb).latency_s, 8 * us);
  EXPECT_DOUBLE_EQ(model.cost(PathClass::host).latency_s, 8 * us);
  EXPECT_DOUBLE_EQ(model.cost(PathClass::xgmi).latency_s, 5 * us);
}

TEST(DeviceModel, OfATopologyHasTheDevicesOfItsRanks) {
  const CostTable costs = parse_cost_table(usual_costs).value();
  const Topology topology =
      synthetic_topology("1 hosts x 8 cores, 4 gpus with nvlink, one rank per gpu").value();
  const DeviceModel model = make_device_model(topology, costs).value();
  EXPECT_EQ(model.device_of, (std::vector<int>{0, 1, 2, 3}));
  EXPECT_EQ(model.between(0, 3), PathClass::nvlink);
  EXPECT_EQ(model.between(2, 2), PathClass::self);
  const auto is_refused = [&](const Topology& other) {
    const Result<DeviceModel> made = make_device_model(other, costs);
    return !made && made.error().code() == ErrorCode::invalid_argument;
  };
  for (const char* other : {"2 hosts x 8 cores, 4 gpus, one rank per gpu", "1 hosts x 8 cores"}) {
    EXPECT_TRUE(is_refused(synthetic_topology(other).value())) << other;
  }
  Topology full = synthetic_topology("1 hosts x 8 cores, 64 gpus, one rank per gpu").value();
  EXPECT_FALSE(is_refused(full));
  full.ranks.push_back(full.ranks[0]);
  EXPECT_TRUE(is_refused(full));
}

TEST(DeviceModel, NeedsCostsThatMakeSense) {
  const auto refusal = [](const CostTable& costs) {
    const Result<DeviceModel> made = make_device_model({0}, {PathClass::self}, costs);
    return made ? ErrorCode::internal : made.error().code();
  };
  CostTable costs = parse_cost_table("rondo costs 1\nl3 latency 1us").value();
  EXPECT_EQ(refusal(costs), ErrorCode::invalid_argument);
  costs.devices[0] = DeviceCost{1 * us, 1e-9, 1e-9};
  EXPECT_EQ(refusal(costs), ErrorCode::internal);
  costs.devices[0]->read_byte_s = -1;
  EXPECT_EQ(refusal(costs), ErrorCode::invalid_argument);
}

TEST(DeviceOrder, KernelsWaitUnlessProcessesShareADevice) {
  EXPECT_EQ(order_for(true, true), DeviceOrder::kernels);
  EXPECT_EQ(order_for(true, false), DeviceOrder::kernels);
  EXPECT_EQ(order_for(false, false), DeviceOrder::kernels);
  EXPECT_EQ(order_for(false, true), DeviceOrder::streams);
}

TEST(DeviceOrder, HasNames) {
  for (const std::string_view text : known_device_orders) {
    EXPECT_EQ(name(parse_device_order(text)), text);
  }
  EXPECT_EQ(parse_device_order("kernels"), DeviceOrder::kernels);
  EXPECT_EQ(parse_device_order("streams"), DeviceOrder::streams);
}

TEST(DeviceOrder, PacketsHaveTheBitsOfSumsInRankOrder) {
  const auto alike = [](Algorithm algorithm, Collective collective, DType dtype, Op op) {
    return has_bits_of_packets({algorithm, collective, 4}, dtype, op);
  };
  EXPECT_TRUE(alike(Algorithm::two_shot, Collective::allreduce, DType::f32, Op::sum));
  EXPECT_TRUE(alike(Algorithm::one_shot, Collective::reduce_scatter, DType::f16, Op::prod));
  EXPECT_FALSE(alike(Algorithm::ring, Collective::allreduce, DType::f32, Op::sum));
  EXPECT_FALSE(alike(Algorithm::knomial, Collective::reduce, DType::f64, Op::avg));
  EXPECT_TRUE(alike(Algorithm::ring, Collective::allreduce, DType::f32, Op::max));
  EXPECT_TRUE(alike(Algorithm::ring, Collective::allreduce, DType::i32, Op::sum));
  EXPECT_TRUE(alike(Algorithm::knomial, Collective::broadcast, DType::f32, Op::sum));
}

}  // namespace
}  // namespace rondo::testing
