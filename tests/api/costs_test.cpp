// What links cost: measured, kept, edited, given.

#include <gmock/gmock.h>

#include "api/find_costs.hpp"
#include "harness/folder.hpp"
#include "harness/transports.hpp"
#include "harness/world.hpp"
#include "rondo/simulate.hpp"

namespace rondo {
namespace {

using testing::error_of;
using testing::Folder;
using ::testing::HasSubstr;
using testing::on_threads;
using testing::on_world;

const std::string edited =
    "rondo costs 1\n"
    "rank start 1us reduce 12GB/s copy 13GB/s\n";

std::string every_class(const std::string& costs) {
  std::string text = edited;
  for (const char* word : {"core", "l2", "l3", "numa", "pkg", "sys", "host", "rack", "net"}) {
    text += std::string(word) + " " + costs + "\n";
  }
  return text;
}

class Costs : public ::testing::TestWithParam<const char*> {
 protected:
  Costs() { ::setenv("RONDO_CACHE_DIR", cache_.path().c_str(), 1); }

  // The tables that the ranks of a world find, by rank.
  static std::vector<CostTable> find(int ranks, const Topology& topology,
                                     const std::vector<std::optional<CostTable>>& given = {}) {
    return find_in(testing::make_world(GetParam(), ranks), topology, given);
  }

  static std::vector<CostTable> find_in(std::vector<std::unique_ptr<Transport>> world,
                                        const Topology& topology,
                                        const std::vector<std::optional<CostTable>>& given = {}) {
    const auto ranks = static_cast<int>(world.size());
    std::vector<CostTable> tables(static_cast<std::size_t>(ranks));
    on_threads(ranks, [&](int rank) {
      const auto index = static_cast<std::size_t>(rank);
      PlanCache plans(rank);
      Engine engine(std::move(world[index]), false);
      Exchange exchange(engine, plans, std::chrono::seconds(30));
      const auto found = find_costs(exchange, engine, topology,
                                    given.empty() ? std::nullopt : given[index], world_context);
      ASSERT_TRUE(found.ok()) << found.error().what();
      tables[index] = found.value();
    });
    return tables;
  }

  Folder cache_;
};
// A transport from which no part of two certain ranks can be made, so that these measure nothing.
class Unsplittable : public Transport {
 public:
  Unsplittable(std::unique_ptr<Transport> inner, std::vector<int> pair)
      : Transport(inner->name(), inner->rank(), inner->size()),
        inner_(std::move(inner)),
        pair_(std::move(pair)) {}

  Result<> begin(std::uint64_t sequence, const Call& call, std::span<const Link> links) override {
    return inner_->begin(sequence, call, links);
  }
  void post(Transfer& transfer) override { inner_->post(transfer); }
  Result<bool> poll(std::chrono::microseconds patience) override { return inner_->poll(patience); }
  bool release(Transfer& transfer) override { return inner_->release(transfer); }
  void cancel() override { inner_->cancel(); }
  void wake() override { inner_->wake(); }
  Error conclude(const Error& finding, std::span<const int> waiting_for) override {
    return inner_->conclude(finding, waiting_for);
  }
  Result<std::unique_ptr<Transport>> split(std::span<const int> members,
                                           std::uint64_t context) override {
    if (std::equal(members.begin(), members.end(), pair_.begin(), pair_.end())) {
      return Error(ErrorCode::resource, "no memory for the two of you");
    }
    return inner_->split(members, context);
  }

 private:
  std::unique_ptr<Transport> inner_;
  std::vector<int> pair_;
};

using LocalCosts = Costs;
INSTANTIATE_TEST_SUITE_P(Over, Costs, ::testing::Values("inproc", "shm", "tcp"));

TEST_P(Costs, AreMeasuredForEveryClassAndAlikeOnAllRanks) {
  // Two hosts with two cores each: the paths inside and between them are of two classes.
  const Topology topology = synthetic_topology("2 hosts x 1 l3s x 2 cores, 2 ranks").value();
  const std::vector<CostTable> tables = find(4, topology);
  for (const CostTable& table : tables) EXPECT_EQ(table, tables[0]);
  for (const PathClass path : {PathClass::l3, PathClass::network}) {
    const auto& link = tables[0].links[static_cast<std::size_t>(path)];
    ASSERT_TRUE(link.has_value()) << name(path);
    EXPECT_GT(link->latency_s + link->overhead_s, 0);
    EXPECT_LT(link->latency_s + link->overhead_s, 1);
  }
  EXPECT_FALSE(tables[0].links[static_cast<std::size_t>(PathClass::numa)]);
  EXPECT_GT(tables[0].start_s, 0);
  EXPECT_GT(tables[0].reduce_byte_s, 0);
  EXPECT_GT(tables[0].copy_byte_s, 0);
  EXPECT_TRUE(make_cost_model(topology, tables[0]).ok());
}

TEST_P(Costs, AreKeptAndMayBeEdited) {
  const Topology topology = synthetic_topology("1 hosts x 1 l3s x 3 cores").value();
  const CostTable measured = find(3, topology)[2];
  const std::string name = costs_name(topology, GetParam(), false);
  EXPECT_EQ(cache_.names("costs-"), std::vector<std::string>{name});
  EXPECT_EQ(parse_cost_table(cache_.read(name)).value(), measured);

  const std::string text = edited + "l3 latency 123ns overhead 45ns wire 6GB/s\n";
  cache_.write(name, text);
  for (const CostTable& table : find(3, topology)) {
    EXPECT_EQ(table, parse_cost_table(text).value());
  }
  EXPECT_EQ(cache_.read(name), text);  // nothing new was found out
}

TEST_P(Costs, OnlyWhatIsMissingIsMeasured) {
  const Topology topology = synthetic_topology("2 hosts x 1 l3s x 2 cores, 2 ranks").value();
  const std::string name = costs_name(topology, GetParam(), false);
  cache_.write(name, edited + "l3 latency 123ns\n");
  const CostTable table = find(4, topology)[3];
  EXPECT_EQ(table.start_s, 1e-6);
  EXPECT_EQ(table.links[static_cast<std::size_t>(PathClass::l3)]->latency_s, 123e-9);
  EXPECT_TRUE(table.links[static_cast<std::size_t>(PathClass::network)]);
  EXPECT_EQ(parse_cost_table(cache_.read(name)).value(), table);
}

TEST_P(Costs, ABrokenTextIsReplacedAndNamed) {
  const Topology topology = synthetic_topology("1 hosts x 1 l3s x 2 cores").value();
  const std::string name = costs_name(topology, GetParam(), false);
  cache_.write(name, "rondo costs 1\nl3 latency soon\n");
  ::testing::internal::CaptureStderr();
  const CostTable table = find(2, topology)[0];
  const std::string warning = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(parse_cost_table(cache_.read(name)).value(), table);
  // Once a process: the other transport's test may have had it.
  if (!warning.empty()) {
    EXPECT_THAT(warning, HasSubstr(cache_.path(name) + ": cost text: line 2: expected a time"));
  }
}

TEST_P(Costs, OfAClassThatCannotBeMeasuredAreNamed) {
  const Topology topology = synthetic_topology("2 hosts x 1 l3s x 2 cores, 2 ranks").value();
  auto world = testing::make_world(GetParam(), 4);
  for (std::unique_ptr<Transport>& rank : world) {
    rank = std::make_unique<Unsplittable>(std::move(rank), std::vector{0, 2});
  }
  ::testing::internal::CaptureStderr();
  const std::vector<CostTable> tables = find_in(std::move(world), topology);
  const std::string warning = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(warning, HasSubstr("rondo: what paths of class NET cost could not be measured, "
                                 "between ranks 0 and 2: resource; those of class L3 are used"));
  EXPECT_EQ(warning.find("rondo: "), warning.rfind("rondo: "));  // one rank speaks for all
  for (const CostTable& table : tables) {
    EXPECT_EQ(table, tables[0]);
    EXPECT_TRUE(table.links[static_cast<std::size_t>(PathClass::l3)]);
    EXPECT_FALSE(table.links[static_cast<std::size_t>(PathClass::network)]);
  }
}

TEST(Unmeasured, SaysWhatIsUsedInstead) {
  const Unmeasured one{{PathClass::host, 1, 5}, ErrorCode::timeout};
  CostTable table;
  EXPECT_THAT(describe(one, table), HasSubstr("class HOST cost could not be measured, between "
                                              "ranks 1 and 5: timeout; plain defaults are used"));
  table.links[static_cast<std::size_t>(PathClass::numa)] = LinkCost{};
  EXPECT_THAT(describe(one, table), HasSubstr("those of class NUMA are used instead"));
  table.links[static_cast<std::size_t>(PathClass::network)] = LinkCost{};
  EXPECT_THAT(describe(one, table), HasSubstr("those of class NET are used instead"));
}

TEST_P(Costs, WithoutAFolderTheyAreMeasuredAnew) {
  const std::string file = cache_.write("file", "");
  ::setenv("RONDO_CACHE_DIR", (file + "/folder").c_str(), 1);
  const Topology topology = synthetic_topology("1 hosts x 1 l3s x 2 cores").value();
  const std::vector<CostTable> tables = find(2, topology);
  EXPECT_EQ(tables[0], tables[1]);
  EXPECT_TRUE(tables[0].links[static_cast<std::size_t>(PathClass::l3)]);
}

TEST_P(Costs, RankZerosTableCounts) {
  const Topology topology = synthetic_topology("1 hosts x 1 l3s x 3 cores").value();
  std::vector<std::optional<CostTable>> given;
  for (const char* latency : {"1us", "2us", "3us"}) {
    given.push_back(parse_cost_table(edited + "l3 latency " + latency).value());
  }
  for (const CostTable& table : find(3, topology, given)) EXPECT_EQ(table, *given[0]);
  given[2].reset();
  for (const CostTable& table : find(3, topology, given)) EXPECT_EQ(table, *given[0]);
}

TEST(Representatives, StandForEveryClass) {
  const Topology topology =
      synthetic_topology("4 hosts x 2 packages x 2 cores, fat tree of 2 hosts").value();
  for (const Representative& one : representatives(topology)) {
    EXPECT_EQ(path_class(topology, one.first, one.second), one.path);
  }
  std::vector<bool> found(path_class_count);
  for (const Representative& one : representatives(topology)) {
    found[static_cast<std::size_t>(one.path)] = true;
  }
  for (int a = 0; a < 16; ++a) {
    for (int b = 0; b < a; ++b) {
      EXPECT_TRUE(found[static_cast<std::size_t>(path_class(topology, a, b))]) << a << " " << b;
    }
  }
  EXPECT_TRUE(representatives(synthetic_topology("1 hosts x 1 cores").value()).empty());
}

TEST(Representatives, OfManyHostsAreFoundInTime) {
  const Topology topology =
      synthetic_topology("2000 hosts x 2 cores, fat tree of 1000 hosts").value();
  const std::vector<Representative> all = representatives(topology);
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back().path, PathClass::network);
}

TEST_F(LocalCosts, OfACommunicatorAndItsParts) {
  on_world(3, {}, [](Communicator& comm) {
    const std::string costs = to_text(comm.costs());
    EXPECT_EQ(to_text(comm.costs()), costs);
    Communicator part = comm.split(comm.rank() == 2 ? 1 : 0, 0);
    EXPECT_EQ(to_text(part.costs()), costs);
    EXPECT_EQ(comm.allreduce_value(1), 3);
  });
  on_world(1, {}, [](Communicator& comm) { EXPECT_EQ(comm.costs(), CostTable{}); });
}

TEST_F(LocalCosts, WaitForWhatIsPending) {
  on_world(2, {}, [](Communicator& comm) {
    std::vector<int> values(1000, 1);
    Work work = comm.iallreduce(values);
    (void)comm.costs();
    work.wait();
    EXPECT_EQ(values[999], 2);
  });
}

TEST_F(LocalCosts, OfAFileCount) {
  const std::string file = cache_.write("mine", every_class("latency 7us wire 3GB/s"));
  on_world(3, {.costs = file}, [&](Communicator& comm) {
    EXPECT_EQ(comm.costs(), parse_cost_table(cache_.read("mine")).value());
  });
  EXPECT_TRUE(cache_.names("costs-").empty());
}

TEST_F(LocalCosts, OfABrokenFileAreRefusedWithTheLine) {
  const std::string broken = cache_.write("broken", edited + "l3 wire fast\n");
  const Error error = error_of([&] { Communicator::local(2, {.costs = broken}); });
  EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
  EXPECT_THAT(error.text(), HasSubstr("RONDO_COSTS=" + broken + ": cost text: line 3: expected a"));
  const std::string empty = cache_.write("empty", edited);
  EXPECT_THAT(error_of([&] { Communicator::local(2, {.costs = empty}); }).text(),
              HasSubstr("names no class of paths"));
  EXPECT_EQ(error_of([&] { Communicator::local(2, {.costs = cache_.path("none")}); }).code(),
            ErrorCode::io);
}

}  // namespace
}  // namespace rondo
