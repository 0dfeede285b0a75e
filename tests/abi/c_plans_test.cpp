// Who decides about a call's schedule, in C: options, plan files, plans of the caller's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "abi/c_world.hpp"
#include "harness/folder.hpp"
#include "rondo/rondo.h"

namespace {

using c_world::allreduce_of;
using c_world::count;
using c_world::inputs;
using c_world::on_ranks;
using c_world::sums;
using rondo::testing::Folder;
using testing::HasSubstr;
using testing::StartsWith;

constexpr int ranks = 3;

std::string taken(rondo_status status, char* text, const rondo_comm* comm) {
  EXPECT_EQ(status, RONDO_OK) << rondo_last_error(comm);
  if (status != RONDO_OK) return "";
  const std::string copy = text;
  rondo_string_free(text);
  return copy;
}

std::string explained(const rondo_comm* comm, rondo_collective collective) {
  char* text = nullptr;
  const rondo_status status = rondo_explain(comm, collective, 100, RONDO_F32, &text);
  return taken(status, text, comm);
}

TEST(CPlans, OptionsNameAPlanFileAndAlgorithmsOfSingleCollectives) {
  const Folder folder;
  const std::string file = folder.write("plan", "allreduce .. circulant\nbroadcast .. chain\n");
  rondo_options options = RONDO_OPTIONS_INIT;
  options.plan_file = file.c_str();
  options.algorithms[RONDO_BROADCAST] = RONDO_KNOMIAL;
  on_ranks(
      ranks,
      [](rondo_comm* comm, int) {
        EXPECT_THAT(explained(comm, RONDO_ALLREDUCE), HasSubstr("line 1 of the plan file"));
        EXPECT_THAT(explained(comm, RONDO_BROADCAST), HasSubstr(": knomial"));
        EXPECT_THAT(explained(comm, RONDO_BROADCAST), HasSubstr("because: it was asked for"));
      },
      options);
}

TEST(CPlans, OptionsThatMakeNoSenseAreRefused) {
  rondo_comm* comm = nullptr;
  rondo_options options = RONDO_OPTIONS_INIT;
  options.plan_file = "/no/such/file";
  EXPECT_EQ(rondo_comm_local(1, &options, &comm), RONDO_IO);
  EXPECT_THAT(rondo_last_error(nullptr), HasSubstr("/no/such/file: cannot read the file"));
  options = RONDO_OPTIONS_INIT;
  options.algorithms[RONDO_EXSCAN + 1] = RONDO_RING;
  EXPECT_EQ(rondo_comm_local(1, &options, &comm), RONDO_INVALID_ARGUMENT);
  EXPECT_THAT(rondo_last_error(nullptr), HasSubstr("11 is no rondo_collective"));
  options = RONDO_OPTIONS_INIT;
  options.algorithms[RONDO_SCAN] = 1000;
  EXPECT_EQ(rondo_comm_local(1, &options, &comm), RONDO_INVALID_ARGUMENT);
  EXPECT_THAT(rondo_last_error(nullptr), HasSubstr("1000 is no rondo_algorithm"));
  options = RONDO_OPTIONS_INIT;
  options.algorithms[RONDO_ALLTOALL] = RONDO_RING;
  EXPECT_EQ(rondo_comm_local(1, &options, &comm), RONDO_INVALID_ARGUMENT);
  EXPECT_THAT(rondo_last_error(nullptr), HasSubstr("there is no ring alltoall"));
}

TEST(CPlans, ThatFitAreCarriedOut) {
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    const std::vector<std::int32_t> order = {2, 0, 1};
    const std::vector<std::int32_t> groups = {1, 2};
    rondo_plan plan = RONDO_PLAN_INIT;
    const auto sums_up = [&] {
      std::vector<float> values = inputs(rank);
      const rondo_call call = allreduce_of(values);
      EXPECT_EQ(rondo_run(comm, &call, &plan), RONDO_OK) << rondo_last_error(comm);
      EXPECT_EQ(values, sums(ranks));
    };
    plan.algorithm = RONDO_RING;
    sums_up();
    plan.channels = 2;
    plan.tile_bytes = 8;
    plan.order = order.data();
    sums_up();
    plan = RONDO_PLAN_INIT;
    plan.algorithm = RONDO_KNOMIAL;
    plan.radix = 3;
    sums_up();
    plan = RONDO_PLAN_INIT;
    plan.algorithm = RONDO_CHAIN_TREE;
    plan.order = order.data();
    plan.group_sizes = groups.data();
    plan.groups = 2;
    sums_up();
    const std::vector<std::uint32_t> weights = {3, 1, 1};
    plan = RONDO_PLAN_INIT;
    plan.algorithm = RONDO_RING;
    plan.weights = weights.data();
    sums_up();
  });
}

TEST(CPlans, AreForBlocksOfDifferentLengthsToo) {
  on_ranks(ranks, [](rondo_comm* comm, int rank) {
    const std::vector<std::size_t> counts = {1, 0, 2};
    std::vector<std::int32_t> send(counts[static_cast<std::size_t>(rank)], rank + 7);
    std::vector<std::int32_t> receive(3);
    rondo_call call = RONDO_CALL_INIT;
    call.collective = RONDO_ALLGATHER;
    call.send = send.data();
    call.receive = receive.data();
    call.dtype = RONDO_I32;
    call.uneven = 1;
    call.receive_counts = counts.data();
    rondo_plan plan = RONDO_PLAN_INIT;
    plan.algorithm = RONDO_RING;
    EXPECT_EQ(rondo_run(comm, &call, &plan), RONDO_OK) << rondo_last_error(comm);
    EXPECT_EQ(receive, (std::vector<std::int32_t>{7, 9, 9}));
  });
}

TEST(CPlans, ThatDoNotFitAreRefusedAndDoNotPoison) {
  rondo_comm* comm = nullptr;
  ASSERT_EQ(rondo_comm_local(1, nullptr, &comm), RONDO_OK);
  std::vector<float> values = inputs(0);
  const rondo_call call = allreduce_of(values);
  const std::int32_t one = 1;
  const auto refused = [&](const rondo_call& given, const rondo_plan& plan, const char* words) {
    EXPECT_NE(rondo_run(comm, &given, &plan), RONDO_OK) << words;
    EXPECT_THAT(rondo_last_error(comm), HasSubstr(words));
  };
  rondo_plan plan = RONDO_PLAN_INIT;
  refused(call, plan, "rondo_plan.algorithm is not set");
  plan.algorithm = RONDO_RING;
  rondo_plan wrong = plan;
  wrong.size = 0;
  refused(call, wrong, "begin with RONDO_PLAN_INIT");
  wrong = plan;
  wrong.groups = 1;
  refused(call, wrong, "go together");
  wrong.groups = -1;
  refused(call, wrong, "rondo_plan.groups is negative");
  wrong = plan;
  wrong.order = &one;
  refused(call, wrong, "rank 1 is outside 0…0");
  wrong = plan;
  wrong.algorithm = RONDO_PAIRWISE;
  refused(call, wrong, "there is no pairwise allreduce");
  rondo_call other = call;
  other.size = 0;
  refused(other, plan, "begin with RONDO_CALL_INIT");
  other = call;
  other.reserved = 1;
  refused(other, plan, "reserved must be 0");
  other = call;
  other.collective = 11;
  refused(other, plan, "11 is no rondo_collective");
  EXPECT_EQ(rondo_run(comm, nullptr, &plan), RONDO_INVALID_ARGUMENT);
  EXPECT_EQ(rondo_run(nullptr, &call, &plan), RONDO_INVALID_ARGUMENT);
  EXPECT_EQ(rondo_run(comm, &call, &plan), RONDO_OK) << rondo_last_error(comm);
  EXPECT_EQ(values, inputs(0));
  rondo_comm_free(comm);
}

TEST(CPlans, StructuresOfOtherVersionsAreTaken) {
  rondo_comm* comm = nullptr;
  ASSERT_EQ(rondo_comm_local(1, nullptr, &comm), RONDO_OK);
  std::vector<float> values = inputs(0);
  const rondo_call call = allreduce_of(values);
  struct Newer {
    rondo_plan known = RONDO_PLAN_INIT;
    std::uint64_t unknown = 0;
  } newer;
  newer.known.size = sizeof newer;
  newer.known.algorithm = RONDO_RING;
  EXPECT_EQ(rondo_run(comm, &call, &newer.known), RONDO_OK) << rondo_last_error(comm);
  newer.unknown = 1;
  EXPECT_EQ(rondo_run(comm, &call, &newer.known), RONDO_INVALID_ARGUMENT);
  EXPECT_THAT(rondo_last_error(comm), HasSubstr("rondo_plan has a field set that this version"));
  // An older program ends before the order: what lies there is not read.
  rondo_plan older = newer.known;
  older.size = offsetof(rondo_plan, order);
  older.order = reinterpret_cast<const std::int32_t*>(1);
  EXPECT_EQ(rondo_run(comm, &call, &older), RONDO_OK) << rondo_last_error(comm);
  rondo_comm_free(comm);
}

TEST(CPlans, TextsOfTopologyAndCostsCanBeGivenBack) {
  const Folder folder;
  std::string topology;
  std::string costs;
  on_ranks(2, [&](rondo_comm* comm, int rank) {
    char* text = nullptr;
    rondo_status status = rondo_topology(comm, &text);
    const std::string own_topology = taken(status, text, comm);
    status = rondo_costs(comm, &text);
    const std::string own_costs = taken(status, text, comm);
    if (rank != 0) return;
    topology = own_topology;
    costs = own_costs;
  });
  EXPECT_THAT(topology, StartsWith("rondo topology 1\n"));
  EXPECT_THAT(costs, StartsWith("rondo costs 1\n"));
  const std::string topology_file = folder.write("topology", topology);
  const std::string costs_file = folder.write("costs", costs);
  rondo_options options = RONDO_OPTIONS_INIT;
  options.topology = topology_file.c_str();
  options.costs = costs_file.c_str();
  on_ranks(
      2,
      [&](rondo_comm* comm, int) {
        char* text = nullptr;
        rondo_status status = rondo_topology(comm, &text);
        EXPECT_EQ(taken(status, text, comm), topology);
        status = rondo_costs(comm, &text);
        EXPECT_EQ(taken(status, text, comm), costs);
        EXPECT_THAT(explained(comm, RONDO_SCAN), HasSubstr("\ncosts: from " + costs_file));
      },
      options);
}

TEST(CPlans, BlocksOfDifferentLengthsAreExplained) {
  on_ranks(2, [](rondo_comm* comm, int) {
    const std::vector<std::size_t> counts = {1, 3};
    char* text = nullptr;
    rondo_status status = rondo_explainv(comm, RONDO_ALLGATHER, counts.data(), RONDO_F64, &text);
    EXPECT_THAT(taken(status, text, comm), StartsWith("allgatherv of f64 (32 B in all) among 2 "));
    status = rondo_explainv(comm, RONDO_GATHER, nullptr, RONDO_F64, &text);
    EXPECT_THAT(taken(status, text, comm),
                StartsWith("gatherv of f64 among 2 ranks over inproc: "));
    EXPECT_EQ(rondo_explainv(comm, RONDO_GATHER, counts.data(), RONDO_F64, &text),
              RONDO_INVALID_ARGUMENT);
    EXPECT_EQ(rondo_explainv(comm, RONDO_ALLGATHER, nullptr, RONDO_F64, &text),
              RONDO_INVALID_ARGUMENT);
    EXPECT_THAT(rondo_last_error(comm), HasSubstr("give 2 counts, not 0"));
    EXPECT_EQ(rondo_explainv(comm, RONDO_SCAN, nullptr, RONDO_F64, &text), RONDO_INVALID_ARGUMENT);
    EXPECT_THAT(rondo_last_error(comm), HasSubstr("scan has no blocks"));
  });
}

}  // namespace
