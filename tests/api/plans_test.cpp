// Who decides about a call's schedule: plan files, wishes, and callers who bring a plan.

#include <gmock/gmock.h>

#include "harness/folder.hpp"
#include "harness/processes.hpp"
#include "harness/world.hpp"

namespace rondo {
namespace {

using testing::error_of;
using testing::Folder;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::on_processes;
using testing::on_world;

class PlanFile : public ::testing::Test {
 protected:
  Options with(const std::string& text) const { return {.plan_file = files_.write("plan", text)}; }

  Folder files_;
};

// Element i of rank r; the sums over the ranks are exact in any order.
std::vector<float> contribution(int rank, std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>((static_cast<std::size_t>(rank) + 1) * (i % 1000 + 1));
  }
  return values;
}

void expect_sum(const Communicator& comm, const std::vector<float>& values) {
  const int ranks = comm.size();
  std::vector<float> expected = contribution(0, values.size());
  for (float& value : expected) value *= static_cast<float>(ranks * (ranks + 1) / 2);
  EXPECT_EQ(values, expected);
}

TEST_F(PlanFile, BrokenOnesAreRefusedWithNameAndLine) {
  const std::pair<const char*, const char*> wrong[] = {
      {"# mine\nallreduce .. fastest\n", "line 2: expected one of ring, double_tree"},
      {"broadcast .. ring", "line 1: there is no ring broadcast"},
      {"allreduce 8..4 ring", "line 1: there are no sizes in '8..4'"},
      {"allreduce .. ring\nallreduce 4K.. one_shot", "line 2: line 1 is about some of these"},
  };
  for (const auto& [text, words] : wrong) {
    const Options options = with(text);
    const Error local = error_of([&] { Communicator::local(2, options); });
    EXPECT_EQ(local.code(), ErrorCode::invalid_argument) << text;
    EXPECT_THAT(local.text(), HasSubstr("RONDO_PLAN_FILE=" + *options.plan_file + ": " + words));
    const Error alone = error_of([&] { Communicator::from_env(options); });
    EXPECT_EQ(alone.text(), local.text());
  }
}

TEST_F(PlanFile, MissingOnesAreNamed) {
  const std::string path = files_.path("missing");
  const Error error = error_of([&] { Communicator::local(2, {.plan_file = path}); });
  EXPECT_EQ(error.code(), ErrorCode::io);
  EXPECT_EQ(
      error.text(),
      "RONDO_PLAN_FILE=" + path +
          ": cannot read the file: No such file or directory; 'rondo tune --save' writes one");
  EXPECT_THAT(error_of([&] { Communicator::local(2, {.plan_file = files_.path()}); }).text(),
              HasSubstr("cannot read the file: Is a directory"));
}

TEST_F(PlanFile, ABrokenOneOfTheEnvironmentIsNamedAndNotUsed) {
  const std::string path = files_.write("broken", "dance .. ring");
  ::setenv("RONDO_PLAN_FILE", path.c_str(), 1);
  ::testing::internal::CaptureStderr();
  Communicator comm = Communicator::from_env();
  const std::string said = ::testing::internal::GetCapturedStderr();
  ::unsetenv("RONDO_PLAN_FILE");
  EXPECT_THAT(said, HasSubstr("rondo: RONDO_PLAN_FILE=" + path + ": line 1: expected a"));
  EXPECT_THAT(said, HasSubstr("; since rank 0 cannot use the file, all ranks use what the planner "
                              "chooses instead\n"));
  EXPECT_EQ(comm.allreduce_value(3), 3);
}

TEST_F(PlanFile, ItsRulesAreHonouredWhereTheyApply) {
  const Options options = with(
      "allreduce 0..4KiB knomial radix 3\n"
      "# the next is for others\n"
      "allreduce 4KiB.. ring ranks 3\n"
      "allreduce 4KiB.. circulant tile 16KiB\n");
  const auto body = [](Communicator& comm) {
    const auto explain = [&](std::size_t count) {
      return comm.explain(Collective::allreduce, count, DType::f32);
    };
    EXPECT_THAT(explain(1023), HasSubstr("knomial, radix 3"));
    EXPECT_THAT(explain(1023), HasSubstr("because: line 1 of the plan file says so"));
    const std::string large = explain(1 << 14);
    const bool three = comm.size() == 3;
    EXPECT_THAT(large, HasSubstr(three ? ": ring" : ": circulant, tiles of 16 KiB"));
    EXPECT_THAT(large, HasSubstr(three ? "because: line 3 of" : "because: line 4 of"));
    EXPECT_THAT(comm.explain(Collective::broadcast, 4, DType::f32), Not(HasSubstr("plan file")));
    for (const std::size_t count : {1u, 1023u, 1u << 14}) {
      std::vector<float> values = contribution(comm.rank(), count);
      comm.allreduce(values);
      expect_sum(comm, values);
    }
  };
  on_world(2, options, body);
  on_world(3, options, body);
  on_processes(2, options, body);
}

TEST_F(PlanFile, AWishGoesBeforeIt) {
  Options options = with("allreduce .. ring\nbroadcast .. chain\n");
  options.algorithms = {{Collective::allreduce, Algorithm::two_shot}};
  on_world(3, options, [](Communicator& comm) {
    const std::string text = comm.explain(Collective::allreduce, 100, DType::f32);
    EXPECT_THAT(text, HasSubstr(": two_shot\nbecause: it was asked for"));
    EXPECT_THAT(comm.explain(Collective::broadcast, 100, DType::f32),
                HasSubstr(": chain\nbecause: line 2 of the plan file"));
  });
}

TEST_F(PlanFile, RanksWithDifferentOnesDoNotMeet) {
  const std::string ring = files_.write("ring", "allreduce .. ring\n");
  const std::string same = files_.write("same", "# commented\nallreduce 0.. ring\n");
  const std::string tree = files_.write("tree", "allreduce .. double_tree\n");
  // The file of each rank, by the environment that on_processes() makes.
  const auto meet = [&](const std::string& other, const std::string& expected) {
    const auto own = [&] { return std::string(::getenv("RONDO_RANK")) == "0" ? ring : other; };
    const std::string store = files_.path("store-" + std::to_string(expected.size()));
    std::vector<pid_t> children;
    for (const char* rank : {"0", "1"}) {
      const pid_t child = ::fork();
      if (child != 0) {
        children.push_back(child);
        continue;
      }
      ::setenv("RONDO_RANK", rank, 1);
      ::setenv("RONDO_SIZE", "2", 1);
      ::setenv("RONDO_STORE", ("file:" + store).c_str(), 1);
      std::string text = "met";
      try {
        Communicator comm = Communicator::from_env({.plan_file = own()});
      } catch (const std::exception& error) {
        text = error.what();
      }
      if (text.find(expected) == std::string::npos) std::cerr << text << std::endl;
      ::_exit(text.find(expected) == std::string::npos ? 1 : 0);
    }
    for (const pid_t child : children) {
      int status = -1;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0) << "expected: " << expected;
    }
  };
  meet(same, "met");
  meet(tree, "plan_file");
}

TEST(Explained, BlocksOfDifferentLengths) {
  const auto body = [](Communicator& comm) {
    const std::vector<std::size_t> counts = {1, 0, 4};
    const auto explain = [&](Collective collective, Counts given) {
      return comm.explain(collective, given, DType::f32);
    };
    const std::string gathered = explain(Collective::allgather, counts);
    EXPECT_THAT(gathered, HasSubstr("allgatherv of f32 (20 B in all) among 3 ranks over inproc: "));
    EXPECT_THAT(gathered, HasSubstr("\nbecause: it was asked for"));
    EXPECT_THAT(gathered, HasSubstr(": ring\n"));
    const std::string turned = explain(Collective::alltoall, {});
    EXPECT_THAT(turned, HasSubstr("alltoallv of f32 among 3 ranks over inproc: pairwise\n"
                                  "because: blocks of different lengths go straight to"));
    EXPECT_THAT(turned, HasSubstr("passed over, since it cannot be had here: bruck"));
    EXPECT_THAT(turned, Not(HasSubstr("  bruck")));
    EXPECT_THAT(error_of([&] { explain(Collective::allgather, {}); }).text(),
                HasSubstr("give 3 counts, not 0"));
    EXPECT_THAT(error_of([&] { explain(Collective::gather, counts); }).text(),
                HasSubstr("gatherv is chosen without the lengths of all blocks: give 0 counts"));
    EXPECT_THAT(error_of([&] { explain(Collective::scan, {}); }).text(),
                HasSubstr("scan has no blocks that could differ in length"));
  };
  Options options;
  options.algorithms = {{Collective::allgather, Algorithm::ring},
                        {Collective::alltoall, Algorithm::bruck}};
  on_world(3, options, body);
}

TEST(Explained, ACommunicatorSaysWhereItsCostsComeFrom) {
  const Folder folder;
  on_world(1, {}, [](Communicator& comm) {
    EXPECT_THAT(comm.explain(Collective::scan, 1, DType::f32),
                HasSubstr("\ncosts: plain defaults, nothing was measured here\n"));
  });
  const std::string file = folder.write("costs", "rondo costs 1\nhost latency 2us\n");
  on_world(2, {.costs = file}, [&](Communicator& comm) {
    EXPECT_THAT(comm.explain(Collective::scan, 1, DType::f32),
                HasSubstr("\ncosts: from " + file + "\n"));
  });
  ::setenv("RONDO_CACHE_DIR", folder.path().c_str(), 1);
  // On a busy machine measuring may fail, and nothing is kept.
  for (int attempt = 0; attempt < 20 && folder.names("costs-").empty(); ++attempt) {
    on_world(2, {}, [](Communicator& comm) { (void)comm.costs(); });
  }
  on_world(2, {}, [&](Communicator& comm) {
    EXPECT_THAT(comm.explain(Collective::scan, 1, DType::f32),
                HasSubstr("\ncosts: measured, kept in " + folder.path("costs-")));
  });
}

TEST(Planned, LongGathersOfManyRanksAreCarriedOut) {
  constexpr std::size_t count = 1 << 19;
  on_world(5, {}, [](Communicator& comm) {
    const std::vector<float> own = contribution(comm.rank(), count);
    std::vector<float> all(comm.rank() == 0 ? 5 * count : 0);
    comm.gather(own, all, 0);
    std::vector<float> back(count);
    comm.scatter(all, back, 0);
    EXPECT_EQ(back, own);
  });
}

TEST(OwnPlan, ThatFitsIsCarriedOut) {
  const auto body = [](Communicator& comm) {
    const Plan plans[] = {{Algorithm::ring, Collective::allreduce, comm.size()},
                          {Algorithm::knomial, Collective::allreduce, comm.size(), 0, 4},
                          {Algorithm::ring, Collective::allreduce, comm.size(), 0, 2, 2}};
    for (const Plan& plan : plans) {
      for (const std::size_t tile : {0u, 64u, 1u << 20}) {
        std::vector<float> values = contribution(comm.rank(), 1000);
        comm.run({Collective::allreduce, values.data(), values.data(), 1000, DType::f32}, plan,
                 tile);
        expect_sum(comm, values);
      }
    }
    // Collective and root are those of the call.
    std::vector<float> values = contribution(comm.rank(), 10);
    ErasedCall call{Collective::broadcast, values.data(), values.data(), 10, DType::f32};
    call.root = 2;
    comm.run(call, {Algorithm::knomial, Collective::allreduce, comm.size()}, 0);
    EXPECT_EQ(values, contribution(2, 10));
  };
  on_world(3, {}, body);
  on_processes(3, {}, body);
}

TEST(OwnPlan, ThatDoesNotFitIsRefusedAndHarmsNothing) {
  on_world(3, {}, [](Communicator& comm) {
    std::vector<float> values = contribution(comm.rank(), 10);
    const ErasedCall call{Collective::allreduce, values.data(), values.data(), 10, DType::f32};
    const Plan ring{Algorithm::ring, Collective::allreduce, 3};
    const auto changed = [&](const std::function<void(Plan&)>& change) {
      Plan plan = ring;
      change(plan);
      return plan;
    };
    const auto arranged = [](std::vector<int> order) {
      return Arrangement::make(std::move(order)).value();
    };
    const std::pair<Plan, const char*> wrong[] = {
        {changed([](Plan& p) { p.ranks = 4; }),
         "a plan for 4 ranks does not fit a communicator of 3"},
        {changed([](Plan& p) { p.algorithm = Algorithm::bruck; }), "there is no bruck allreduce"},
        {changed([](Plan& p) { p.algorithm = Algorithm::automatic; }), "choose an algorithm"},
        {changed([](Plan& p) { p.radix = 1; }), "radix must be between 2 and"},
        {changed([](Plan& p) { p.channels = 0; }), "channels must be between 1 and"},
        {changed([&](Plan& p) {
           p.arrangement = arranged({1, 0});
         }),
         "an arrangement of 2 ranks does not fit a plan of 3"},
    };
    for (const auto& [plan, words] : wrong) {
      EXPECT_THAT(error_of([&, &own = plan] { comm.run(call, own, 0); }).text(), HasSubstr(words));
    }
    EXPECT_EQ(comm.error(), std::nullopt);
    comm.run(call, ring, 0);
    expect_sum(comm, values);
    Communicator none;
    EXPECT_THAT(error_of([&] { none.run(call, ring, 0); }).text(), HasSubstr("empty"));
  });
}

TEST(OwnPlan, BlocksOfDifferentLengthsGoStraight) {
  on_world(2, {}, [](Communicator& comm) {
    const std::vector<std::size_t> counts = {1, 3};
    std::vector<int> send(counts[static_cast<std::size_t>(comm.rank())], comm.rank() + 7);
    std::vector<int> receive(4);
    ErasedCall call{Collective::gather, send.data(), receive.data(), send.size(), DType::i32};
    call.uneven = true;
    call.receive_blocks.counts = counts;
    const Plan straight{Algorithm::one_shot, Collective::gather, 2};
    const Plan tree{Algorithm::knomial, Collective::gather, 2};
    EXPECT_THAT(error_of([&] { comm.run(call, tree, 0); }).text(),
                HasSubstr("there is no knomial gatherv"));
    EXPECT_THAT(error_of([&] { comm.run(call, straight, 4096); }).text(),
                HasSubstr("gatherv has no tiles"));
    comm.run(call, straight, 0);
    EXPECT_EQ(receive, (comm.rank() == 0 ? std::vector<int>{7, 8, 8, 8} : std::vector<int>(4)));
  });
}

}  // namespace
}  // namespace rondo
