// What the planner would choose, why, and from whose costs, topology and wishes.

#include <cstdint>
#include <sstream>

#include "base/text.hpp"
#include "cli/command.hpp"
#include "harness/folder.hpp"

namespace rondo {
namespace {

using testing::command_path;
using testing::expect;
using testing::Folder;
using testing::Outcome;
using testing::rondo;
using testing::Variable;

TEST(Command, ExplainSaysWhichScheduleAndWhy) {
  expect("explain --help", 0, "usage: rondo explain COLLECTIVE [SIZE]");
  expect("explain allreduce 4 --ranks 4", 0,
         "allreduce of 4 B among 4 ranks over shm on this host: recursive_doubling\nbecause: of ");
  expect("explain allreduce 64M", 0, "* ");
  expect("explain barrier", 0, "barrier among 4 ranks");
  expect("explain allreduce 64MiB --machine '2 hosts x 4 cores'", 0,
         "ring, 2 channels, near to near, tiles of 64 KiB   ");
  expect("explain allreduce 1MiB --machine '2 hosts x 64 cores'", 0, "Estimated in closed form");
  expect("topo --synthetic '2 hosts x 3 cores' --text | '" + command_path +
             "' explain broadcast 64K --topo -",
         0, "broadcast of 64 KiB among 6 ranks");
  expect("topo --costs | '" + command_path + "' explain scan 1K --costs -", 0, "costs: from -\n");
  expect("explain gather 4 --ranks 3 --json", 0,
         "{\"collective\":\"gather\",\"ranks\":3,\"bytes\":4,\"costs\":\"");
  expect("explain allreduce 4 --json", 0, "\"because\":\"fastest\",\"passed_over\":false,");
}

TEST(Command, ExplainKnowsTheWayFromDeviceToDevice) {
  const std::string machine = " --devices --machine '1 hosts x 8 cores, 8 gpus";
  const std::string linked = machine + " with nvlink'";
  expect("explain allreduce 64M" + linked, 0,
         "allreduce of 64 MiB among 8 ranks from device to device on 1 hosts x 8 cores, 8 gpus "
         "with nvlink: two_shot\nbecause: of ");
  expect("explain allreduce 64M" + linked, 0, "costs: nominal speeds of the described machine, ");
  expect("explain broadcast 64M" + linked + " --json", 0, "{\"algorithm\":\"scatter_allgather\",");
  expect("explain allreduce 64M" + machine + ", one rank per core'", 1,
         "the topology names no GPU that rank 0 works with");
  expect("explain scan 4" + linked, 1, "scan does not go from device to device");
  expect("plan --collective allreduce" + linked, 0, "\nallreduce\n");
  expect("plan" + linked, 0, "\nalltoall\n");
}

TEST(Command, ExplainTakesTheCostsOfDevicesFromAFile) {
  const Folder folder;
  folder.write("costs",
               "rondo costs 1\nrank kernel 5us\nhost latency 1us\n"
               "device x latency 1us read 100GB/s write 100GB/s\n");
  expect("explain allreduce 64M --devices --machine '1 hosts x 2 cores, 2 gpus' --costs '" +
             folder.path("costs") + "' --json",
         0, "\"costs\":\"from " + folder.path("costs"));
}

TEST(Command, ExplainKnowsBlocksOfDifferentLengths) {
  expect("explain allgatherv 1M --ranks 4", 0, "allgatherv of 1 MiB among 4 ranks");
  expect("explain allgatherv 1M --ranks 4", 0, "\nPredicted for blocks of equal lengths.\n");
  expect("explain gatherv --ranks 4 --machine '4 hosts x 1 cores'", 0, ": one_shot\nbecause: ");
  expect("explain reduce_scatterv 4 --ranks 4 --json", 0, "{\"collective\":\"reduce_scatterv\",");
  expect("explain scatterv 4", 2, "scatterv is chosen without its size: leave SIZE out");
  expect("explain allgatherv", 2, "say how many bytes");
  expect("explain allreducev 4", 2, "unknown collective 'allreducev'");
}

// The name under which a world of two ranks keeps its costs in the folder, with a text that names
// all classes. On a busy machine measuring may fail, and nothing is kept.
std::string keep_costs(const Folder& folder) {
  for (int attempt = 0; attempt < 20 && folder.names("costs-").empty(); ++attempt) {
    (void)rondo("run -n 2 --no-prefix -- '" + command_path + "' explain scan 4");
  }
  const std::string name = folder.names("costs-").at(0);
  std::string text = "rondo costs 1\nrank start 1us reduce 12GB/s copy 13GB/s\n";
  for (const char* word : {"core", "l2", "l3", "numa", "pkg", "sys", "host"}) {
    text += concat(word, " latency 7us overhead 2us wire 3GB/s\n");
  }
  folder.write(name, text);
  return name;
}

// Costs and topology outside a world are those that its ranks would have.
TEST(Command, ExplainAgreesWithAWorldOnThisMachine) {
  const Folder folder;
  const Variable cache("RONDO_CACHE_DIR", folder.path());
  expect("explain allreduce 64K --ranks 2", 0, "costs: plain defaults, nothing was measured here");
  EXPECT_TRUE(folder.names("costs-").empty()) << "nothing is measured";
  const std::string name = keep_costs(folder);
  const std::string words = "explain allreduce 64K --json";
  const Outcome inside = rondo("run -n 2 --no-prefix -- '" + command_path + "' " + words);
  EXPECT_NE(inside.output.find("\"costs\":\"measured, kept in " + folder.path(name) + " since 2"),
            std::string::npos)
      << inside.output;
  EXPECT_EQ(rondo(words + " --ranks 2").output, inside.output);
  expect("plan --ranks 2 --transport inproc", 0, "costs: plain defaults");
  expect("plan --machine '3 hosts x 1 cores' --transport shm", 2,
         "transport shm connects ranks of one host, and these are on 3; choose auto, tcp or mpi");
  expect("explain allreduce 4 --ranks 2 --transport pigeon", 2,
         "--transport is one of auto, shm, tcp, mpi, inproc, not 'pigeon'");
}

TEST(Command, ExplainTakesCostsAndTopologyFromTheEnvironment) {
  const Folder folder;
  const std::string slow = folder.write("slow", "rondo costs 1\nnet latency 3s\n");
  const std::string slower = folder.write("slower", "rondo costs 1\nnet latency 5s\n");
  const std::string hosts =
      folder.write("hosts", rondo("topo --synthetic '3 hosts x 1 cores' --text").output);
  const Variable topology("RONDO_TOPOLOGY", hosts);
  const Variable costs("RONDO_COSTS", slow);
  const std::string question = "explain broadcast 4 ";
  expect(question, 0, "broadcast of 4 B among 3 ranks over tcp on " + hosts + ": ");
  expect(question, 0, "costs: from " + slow + "\n");
  expect(question, 0, "  3.00 s ");
  expect(question + "--costs " + slower, 0, "costs: from " + slower + "\n");
  expect(question + "--costs " + slower, 0, "  5.00 s ");
  expect(question + "--machine '2 hosts x 1 cores'", 0, "among 2 ranks over tcp on 2 hosts");
  expect(question + "--ranks 2", 1, "the topology is of 3 ranks, but this world has 2; describe");
  expect(question + "--xml /no/such/file", 1, "cannot read /no/such/file");
}

TEST(Command, TopoWritesTheWorldThatALauncherMadeOnce) {
  const Folder folder;
  const Variable cache("RONDO_CACHE_DIR", folder.path());
  const std::string in_world = "run -n 2 --no-prefix -- '" + command_path + "' ";
  const std::string text = rondo(in_world + "topo --text").output;
  EXPECT_EQ(text.find("rondo topology"), text.rfind("rondo topology")) << text;
  EXPECT_NE(text.find("\nrank 1 host 0 "), std::string::npos) << text;
  EXPECT_EQ(rondo("topo --ranks 2 --text").output, text);
  expect(in_world + "topo", 0, "1 host, 2 ranks");
  expect(in_world + "topo --ranks 2", 2, "--ranks is for this host outside of a launcher");
  expect("topo --ranks 2 --synthetic '2 hosts x 1 cores'", 2, "without another topology");
  const std::string hosts =
      folder.write("hosts", rondo("topo --synthetic '2 hosts x 1 cores' --text").output);
  const Variable topology("RONDO_TOPOLOGY", hosts);
  expect(in_world + "topo", 0, "2 hosts, 2 ranks");
  const Variable costs("RONDO_COSTS", folder.write("costs", "rondo costs 1\nnet latency 3s\n"));
  const std::string cost_text = rondo(in_world + "topo --costs").output;
  EXPECT_EQ(cost_text.find("rondo costs 1"), cost_text.rfind("rondo costs 1")) << cost_text;
  EXPECT_NE(cost_text.find("\nnet latency 3"), std::string::npos) << cost_text;
  const Variable own("RONDO_TOPOLOGY", folder.write("own", text));
  expect(in_world + "explain scan 4", 0, "scan of 4 B among 2 ranks");
}

// Seconds that the chosen schedule is predicted to take.
double predicted(const std::string& question) {
  const std::string text = rondo(question + " --json").output;
  const std::string mark = "\"predicted_s\":";
  const std::size_t found = text.find(mark);
  EXPECT_NE(found, std::string::npos) << text;
  return found == std::string::npos ? 0 : std::stod(text.substr(found + mark.size()));
}

TEST(Command, ExplainKnowsHowFastTheNicsOfADescribedMachineAre) {
  const Folder folder;
  const Variable cache("RONDO_CACHE_DIR", folder.path());
  const std::string hosts = "4 hosts x 2 cores, 1 nics of ";
  const std::string question = "explain allreduce 64M ";
  const std::string nominal =
      "costs: nominal speeds of the described machine, nothing was measured\n";
  expect(question + "--machine '" + hosts + "10 gbit/s'", 0, nominal);
  const double slow = predicted(question + "--machine '" + hosts + "1 gbit/s'");
  const double fast = predicted(question + "--machine '" + hosts + "10 gbit/s'");
  EXPECT_GT(slow, 5 * fast);
  EXPECT_GT(slow, 0.5);  // 64 MiB at 125 MB/s
  EXPECT_GT(fast, 2 * predicted(question + "--machine '" + hosts + "400 gbit/s'"));
  const std::string file =
      folder.write("hosts", rondo("topo --synthetic '" + hosts + "1 gbit/s' --text").output);
  EXPECT_EQ(predicted(question + "--topo " + file), slow);
  const Variable topology("RONDO_TOPOLOGY", file);
  EXPECT_EQ(predicted(question), slow);
}

// Where the times of a table stand: below the word in the first line, each after a gap. The table
// ends at an empty line.
void expect_times_below(const std::string& text, const std::string& head, const std::string& word) {
  std::istringstream lines(text.substr(text.find("\n  " + head) + 1));
  std::string line;
  std::getline(lines, line);
  const std::size_t column = line.find(word);
  ASSERT_NE(column, std::string::npos) << text;
  int rows = 0;
  for (; std::getline(lines, line) && !line.empty(); ++rows) {
    ASSERT_GT(line.size(), column) << text;
    EXPECT_EQ(line.substr(column - 2, 2), "  ") << line;
    EXPECT_TRUE(line[column] >= '0' && line[column] <= '9') << line;
  }
  EXPECT_GT(rows, 1);
}

TEST(Command, ExplainsColumnsHoldTheLongestPlan) {
  const std::string text =
      rondo("explain allreduce 64M --machine '4 hosts x 4 cores, 2 nics of 10 gbit/s'").output;
  EXPECT_NE(text.find("two_level, 2 channels, near to near, tiles of "), std::string::npos) << text;
  expect_times_below(text, "candidate ", "predicted");
  expect_times_below(text, "sizes ", "predicted");
}

TEST(Command, WhatIsWrongInTheEnvironmentIsNamed) {
  const Folder folder;
  const std::string words = "explain alltoall 4";
  const auto refused = [&](const char* variable, const std::string& value,
                           const std::string& text) {
    const Variable set(variable, value);
    const std::string said = std::string(variable) + "=" + value + ": " + text;
    expect(words + " --ranks 2", 1, "rondo explain: " + said);
    expect("run -n 2 --no-prefix -- '" + command_path + "' " + words, 1, "rondo explain: " + said);
  };
  refused("RONDO_ALGORITHM", "alltoall:ring",
          "expected an algorithm that alltoall has, one of one_");
  refused("RONDO_ALGORITHM", "flying", "expected one of automatic, ring, ");
  refused("RONDO_ALGORITHM", "dance:ring", "expected a collective before each ':'");
  refused("RONDO_PLAN_FILE", folder.write("plan", "scan .. chain\nscan .. flying\n"),
          "line 2: expected one of ");
  refused("RONDO_PLAN_FILE", folder.path(), "cannot read the file: Is a directory; 'rondo tune");
  refused("RONDO_COSTS", folder.path("none"),
          "cannot read the file: No such file or directory; 'rondo topo --costs' writes one");
  refused("RONDO_COSTS", folder.write("costs", "rondo costs 1\nl3 latency soon\n"),
          "cost text: line 2: expected a time");
  refused("RONDO_TOPOLOGY", folder.path("none"),
          "cannot read the file: No such file or directory; 'rondo topo --text' writes one");
  refused("RONDO_TOPOLOGY", folder.write("topology", "rondo topology 1\nnonsense\n"),
          "topology text: line 2: expected 'machine' or 'network', found 'nonsense'");
}

TEST(Command, ABrokenCacheIsNamedAndNotUsed) {
  const Folder folder;
  const Variable cache("RONDO_CACHE_DIR", folder.path());
  const std::string name = keep_costs(folder);
  expect("explain scan 4 --ranks 2", 0, "costs: measured, kept in " + folder.path(name));
  folder.write(name, "nonsense\n");
  expect("explain scan 4 --ranks 2", 0,
         folder.path(name) + ": cost text: line 1: expected 'rondo'");
  expect("explain scan 4 --ranks 2", 0, "costs: plain defaults");
  expect("run -n 2 --no-prefix -- '" + command_path + "' explain scan 4", 0,
         folder.path(name) + ": cost text: line 1: expected 'rondo'");
}

TEST(Command, WithoutHwlocThereIsAWorkingDefault) {
  const Variable nothing("HWLOC_COMPONENTS", "stop");
  expect("topo", 0, "1 host, 1 rank");
  expect("explain allreduce 4 --ranks 2", 0, "allreduce of 4 B among 2 ranks");
  expect("run -n 2 --no-prefix -- '" + command_path + "' explain allreduce 4", 0,
         "allreduce of 4 B among 2 ranks over shm: ");
}

TEST(Command, ExplainIsTrueOfSizesThatAreTreatedAlike) {
  // The largest size before others are better served by another plan.
  const std::string plan = rondo("plan --collective allreduce --ranks 4 --json").output;
  const std::string mark = "\"from\":0,\"to\":";
  const std::size_t found = plan.find(mark);
  ASSERT_NE(found, std::string::npos) << plan;
  const std::uint64_t end = std::stoull(plan.substr(found + mark.size()));
  const std::string text = rondo("explain allreduce --ranks 4 " + std::to_string(end - 1)).output;
  const bool first_is_chosen = text.find("mostly\n* ") != std::string::npos;
  const bool says_so = text.find("candidates it is predicted to be the fastest") != text.npos;
  EXPECT_EQ(first_is_chosen, says_so) << text;
  EXPECT_NE(says_so, text.find("at this very size it is ") != text.npos) << text;
}

TEST(Command, WhatWasAskedForIsHonouredAndExplained) {
  {
    const Variable wish("RONDO_ALGORITHM", "allreduce:ring,broadcast:chain");
    expect("explain allreduce 4", 0,
           ": ring\nbecause: it was asked for; recursive_doubling is predicted");
    expect("explain broadcast 4", 0, ": chain\nbecause: it was asked for");
    expect("plan --collective allreduce", 0, " wish\n");
  }
  const Variable wish("RONDO_ALGORITHM", "allreduce:pairwise");
  expect("explain allreduce 4", 1,
         "RONDO_ALGORITHM=allreduce:pairwise: expected an algorithm that");
}

TEST(Command, PlanShowsTheSchedulesOfAllSizes) {
  expect("plan --help", 0, "usage: rondo plan [OPTION …]");
  expect("plan", 0, "\nreduce_scatter\n  0 B ..");
  expect("plan --machine '2 hosts x 2 cores'", 0,
         "Schedules among 4 ranks over shm+tcp on 2 hosts x 2 cores\n"
         "costs: plain defaults: nothing says how fast the network between the 2 hosts is");
  expect("plan --machine '2 hosts x 8 cores'", 0, "\ngather\n  0 B ..");
  expect("plan --json", 0, "\n{\"collective\":\"broadcast\",\"ranks\":4,\"costs\":\"");
  expect("plan --svg -", 0, "</svg>");
  expect("plan --collective alltoall --svg -", 0, "alltoall among 4 ranks");
  expect("run -n 2 --no-prefix -- '" + command_path + "' plan --collective allgather", 0,
         "Schedules among 2 ranks over shm\ncosts: ");
}

TEST(Command, TuneMeasuresAndSavesWhatIsUsedAfterwards) {
  const Folder folder;
  const std::string path = folder.path("plan");
  const std::string brief = "tune --ranks 2 --transport inproc --time 10 --size 4,64K ";
  expect("tune --help", 0, "usage: rondo tune --ranks N");
  expect(brief, 0, "\nchosen to best: median ");
  expect(brief + "--collective broadcast --json", 0,
         "{\"collective\":\"broadcast\",\"ranks\":2,\"transport\":\"inproc\",\"bytes\":65536,");
  expect(brief + "--collective allreduce,barrier --save " + path, 0, "\n0 B  ");
  expect("plan --ranks 2 --plan-file " + path, 0, " rule\n");
  {
    const Variable plan_file("RONDO_PLAN_FILE", path);
    expect("explain allreduce 4 --ranks 2", 0, "\nbecause: line 2 of the plan file says so\n");
    expect("explain allreduce 4 --ranks 3", 0, "\nbecause: of ");  // measured among 2
  }
  expect("tune --ranks 2 --time 10 --size 4", 0, "allreduce among 2 ranks over shm");
  expect(brief + "--save -", 0, "# measured among 2 ranks over inproc\nallreduce 0B..");
}

TEST(Command, ThePlannerSaysWhatItDoesNotUnderstand) {
  expect("explain", 2, "name a collective: allreduce, broadcast, ");
  expect("explain dance 4", 2, "unknown collective 'dance'");
  expect("explain allreduce", 2, "say how many bytes, such as 1MiB");
  expect("explain barrier 4", 2, "a barrier moves no bytes: leave SIZE out");
  expect("explain allreduce 4X", 2, "a size is a number such as 64K or 1MiB, not '4X'");
  expect("explain allreduce 4 5", 2, "unexpected argument '5'");
  expect("explain allreduce 4 --fast", 2, "unknown option '--fast'");
  expect("explain allreduce 4 --topo a --machine b", 2, "give one of --topo, --xml and --machine");
  expect("explain allreduce 4 --machine '2 hosts x 2 cores' --ranks 5", 2,
         "the topology has 4 ranks, not 5");
  expect("explain allreduce 4 --machine '3 dogs'", 1, "expected hosts, packages");
  expect("explain allreduce 4 --costs /no/such/file", 1, "cannot read /no/such/file");
  expect("explain allreduce 4 --plan-file /no/such/file", 1,
         "RONDO_PLAN_FILE=/no/such/file: cannot read the file: No such file");
  expect("plan extra", 2, "unexpected argument 'extra'");
  expect("plan --collective dance", 2, "unknown collective 'dance'");
  expect("plan --collective barrier --svg -", 2, "a barrier has no sizes to chart");
  expect("plan --svg /no/such/folder/a.svg", 1, "cannot write /no/such/folder");
  expect("run -n 2 --no-prefix -- '" + command_path + "' plan --ranks 4", 2,
         "option --ranks describes a world; under a launcher there is one");
  expect("tune", 2, "say how many --ranks, or start it under 'rondo run'");
  expect("tune --ranks 1", 2, "option --ranks is a number from 2 to 256, not '1'");
  expect("tune --ranks 2 --transport pigeon", 2,
         "--transport is one of auto, shm, tcp, mpi, inproc, not 'pigeon'");
  expect("tune --ranks 2 --collective dance", 2, "unknown collective 'dance'");
  expect("tune --ranks 2 --collective ''", 2, "option --collective names none");
  expect("tune --ranks 2 --size 5X", 2, "--size");
  expect("tune --ranks 2 --fast", 2, "unknown option '--fast'");
  expect("tune --ranks 2 --save /no/such/folder/plan", 1,
         "cannot write /no/such/folder/plan: No such file");
  expect("run -n 2 --no-prefix -- '" + command_path + "' tune --ranks 2", 2,
         "under a launcher --ranks and --transport are given by it");
}

}  // namespace
}  // namespace rondo
