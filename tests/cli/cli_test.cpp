// Verbs, their help and their errors; schedules, drawings, machines and simulations.

#include "base/text.hpp"
#include "cli/command.hpp"
#include "harness/folder.hpp"
#include "rondo/schedule.hpp"

namespace rondo {
namespace {

using testing::command_path;
using testing::expect;
using testing::Folder;
using testing::rondo;

TEST(Command, HelpIsEverywhere) {
  expect("--help", 0, "usage: rondo VERB");
  expect("help", 0, "verify");
  expect("--help", 0, "; 2, the command line makes no sense.\n");
  expect("verify --help", 0, "usage: rondo verify");
  expect("schedule --help", 0, "usage: rondo schedule");
  expect("draw --help", 0, "usage: rondo draw");
  expect("topo --help", 0, "usage: rondo topo");
  expect("simulate --help", 0, "usage: rondo simulate");
  expect("--version", 0, "rondo 0.");
}

TEST(Command, HelpListsAllThatThereIs) {
  for (const char* verb : {"schedule", "draw", "export", "simulate", "verify"}) {
    for (int i = 1; i < algorithm_count; ++i) {
      expect(concat(verb, " --help"), 0, concat(" ", name(static_cast<Algorithm>(i))));
    }
  }
  for (const char* verb :
       {"schedule", "draw", "export", "simulate", "verify", "explain", "plan", "tune"}) {
    for (int i = 0; i < collective_count; ++i) {
      expect(concat(verb, " -h"), 0, concat(" ", name(static_cast<Collective>(i))));
    }
  }
  expect("run -h", 0, "RONDO_COSTS ");
  expect("env -h", 0, "usage: rondo env");
  expect("env -h", 0, "all ranks do without. Other bad values end the program.\n");
}

TEST(Command, WrongUsageIsExplainedAndExitsWithTwo) {
  expect("", 2, "usage: rondo VERB");
  expect("dance", 2, "rondo: unknown verb 'dance'");
  expect("verify --fast", 2, "rondo verify: unknown option '--fast'; see 'rondo verify --help'");
  expect("verify --max-ranks", 2, "option --max-ranks needs a value");
  // Not the "--" before the program.
  expect("mpi --stats -- mpirun true", 2, "option --stats needs a value");
  expect("mpi --mode=often -- mpirun true", 2, "measured, always or off, not 'often'");
  expect("mpi -q", 2, "the program to run is missing");
  expect("mpi -- /nowhere/program", 1, "cannot find or read /nowhere/program");
  expect("mpi -- env true", 1, "cannot tell which MPI env uses");
  expect("run -n -- true", 2, "option -n needs a value");
  expect("run -n 1 --bind", 2, "option --bind needs a value");
  expect("verify --max-ranks many", 2, "option --max-ranks is a number from 1 to 1024, not 'many'");
  expect("verify --max-ranks=0", 2, "option --max-ranks is a number from 1 to 1024, not '0'");
  expect("verify --algorithm circle", 2, "unknown algorithm 'circle'; known: ring, double_tree, ");
  expect("verify --algorithm ring --collective barrier", 2,
         "there is no ring barrier; barrier has double_tree, ");
  expect("schedule", 2, "expected FILE or ALGORITHM COLLECTIVE RANKS");
  expect("schedule ring allreduce", 2, "expected FILE or ALGORITHM COLLECTIVE RANKS");
  expect("schedule ring allreduce four", 2, "the number of ranks is a number from 1 to");
  expect("schedule disc allreduce 4", 2, "unknown algorithm 'disc'");
  expect("schedule ring all 4", 2, "unknown collective 'all'");
  expect("schedule ring broadcast 4", 2,
         "rondo schedule: there is no ring broadcast; broadcast has double_tree, ");
  expect("draw ring allreduce 4 --png x", 2, "unknown option '--png'");
}

TEST(Command, WhatCannotBeDoneExitsWithOne) {
  expect("schedule ring allreduce 1000000", 1, "up to 4096 ranks here, not 1000000");
  expect("schedule /no/such/file", 1, "cannot read /no/such/file: No such file");
  expect("draw ring allreduce 4 --svg /no/such/folder/a.svg", 1, "cannot write /no/such/folder");
  expect("draw knomial broadcast 500", 1, "too large to draw");
}

TEST(Command, VerifyProvesAllGenerators) {
  expect("verify --max-ranks 9", 0, "double_tree         broadcast");
  expect("verify --max-ranks 5 --algorithm ring --collective allreduce --threads 1 --json", 0,
         "{\"algorithm\":\"ring\",\"collective\":\"allreduce\",\"ranks\":5,\"schedules\":25,");
}

TEST(Command, ScheduleTextGoesRound) {
  expect("schedule allreduce ring 3", 0, "plan ring allreduce ranks 3 root 0 radix 2");
  expect("schedule knomial broadcast 9 --root 4 --radix 3 | '" + command_path + "' verify -", 0,
         "correct: knomial broadcast of 9 ranks");
  expect("schedule ring allreduce 3 | '" + command_path + "' schedule - | '" + command_path +
             "' draw -",
         0, "ring allreduce of 3 ranks: 4 rounds, 3 segments");
}

TEST(Command, VerifyOfAFileSaysWhatIsWrong) {
  const Folder folder;
  std::string text = rondo("schedule ring allreduce 3").output;
  text.replace(text.find(" wait 1>=1"), 10, "");
  const std::string path = folder.write("wrong", text);
  expect("verify " + path, 1,
         "rondo verify: wrong: rank 0 lane 1 step 0 (recv out[1] from 2 + in[1])");
  expect("verify --json " + path, 1, "\"correct\":false,\"error\":\"rank 0 lane 1");
  expect("verify " + folder.write("nonsense", "rondo schedule 1\nnonsense\n"), 1,
         "schedule text: line 2: expected 'plan', found 'nonsense'");
}

TEST(Command, DrawsSvgToAFileOrToTheOutput) {
  expect("draw ring allreduce 4 --svg -", 0, "</svg>");
}

TEST(Command, ExportsForOtherTools) {
  expect("export --help", 0, "usage: rondo export --format FORMAT");
  expect("export --format goal ring allreduce 3 --size 12", 0, "s0: send 4b to 1 tag 0 cpu 0");
  expect("export --format goal ring allreduce 3 --machine nvlink --size 1G", 0,
         "s4sum: calc 238609");
  expect("export --format msccl ring allreduce 3", 0, "<algo name=\"rondo_ring_allreduce_3\"");
  expect("export --format dot knomial broadcast 3 --root 1", 0, "r1s1 -> r0s0 [style=bold");
  expect("export --format chrome ring allreduce 3", 0, "\"name\":\"rank 2\"");
  expect("schedule ring allreduce 3 | '" + command_path + "' export --format dot - -o -", 0,
         "digraph schedule {");
  expect("export ring allreduce 3", 2, "--format is goal, msccl, dot or chrome;");
  expect("export --format png ring allreduce 3", 2, "dot or chrome, not 'png'");
  expect("export --format dot ring allreduce 3 --size 4", 2, "unknown option '--size'");
  expect("export --format msccl knomial barrier 3", 1, "MSCCL has no barrier");
  expect("export --format dot ring allreduce 3 -o /no/such/folder/a.dot", 1,
         "cannot write /no/such/folder");
}

TEST(Command, SchedulesOfHostsHaveSoManyRanksOnEach) {
  for (const char* verb :
       {"schedule", "export --format msccl", "export --format dot", "export --format chrome"}) {
    for (const char* algorithm : {"two_level", "chain_tree"}) {
      const std::string words = concat(verb, " ", algorithm, " allreduce 6 --json");
      const std::string note =
          concat("rondo: all ranks of this ", algorithm, " are on one host; --per-host K makes");
      expect(words, 0, note);
      expect(words, 0, "\"channels\":1},");  // no order and no groups
      expect(words + " --per-host 4", 0, "\"groups\":[4,2]");
      EXPECT_EQ(rondo(words + " --per-host 6").output.find("--per-host"), std::string::npos);
    }
  }
  expect("draw two_level allreduce 6", 0, "two_level allreduce of 6 ranks: 10 rounds, 1 segment");
  expect("draw two_level allreduce 6 --per-host 4", 0, "allreduce of 6 ranks: 8 rounds");
  expect("schedule two_level allreduce 8 --per-host 4 --ports 2", 0, "channels 2 order 0,");
  expect("export --format goal two_level allreduce 16 --machine nvlink --json", 0,
         "\"channels\":8,\"order\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15],\"groups\":[8,8]");
  expect("draw two_level allreduce 6 --per-host 0", 2, "--per-host is a number from 1");
}

TEST(Command, TopoShowsTheMachine) {
  expect("topo", 0, "1 host, 1 rank");
  expect("topo --text", 0, "rank 0 host 0 pus ");
  expect("topo --json", 0, "\"ranks\":[{\"host\":0,\"pus\":[");
  expect("topo --synthetic dgx-2", 0, "NVL   NVLink, direct or through switches");
  expect("topo --synthetic '2 hosts x 2 cores' --text | '" + command_path + "' topo -", 0,
         "2 hosts, 4 ranks, network: flat");
}

TEST(Command, TopoExplainsWhatIsWrong) {
  expect("topo --costs", 0, "rondo costs 1\nrank start ");
  expect("topo --costs --transport inproc", 0, " window ");
  expect("topo --costs --transport pigeon", 2,
         "there is no transport 'pigeon'; known: shm, tcp, inproc");
  expect("topo --costs --json", 0, "{\"start_s\":");
  expect("topo --costs --text", 2, "unknown option '--text'");
  expect("topo --json --text", 2, "give one of --json and --text");
  expect("topo --xml a --synthetic b", 2, "give one of FILE, --xml and --synthetic");
  expect("topo --fast", 2, "unknown option '--fast'");
  expect("topo /no/such/file", 1, "rondo topo: cannot read /no/such/file: No such file");
  expect("topo --synthetic '2 hosts x 3 dogs'", 1, "expected hosts, packages, numas, l3s, cores");
  expect("schedule ring allreduce 3 | '" + command_path + "' topo -", 1,
         "rondo topo: -: topology text: line 1: expected 'topology', found 'schedule'");
}

TEST(Command, SimulatesSchedulesAgainstSizesAndRanks) {
  expect("simulate", 0, "allreduce of 8 ranks, simulated on loopback, tiles of 256 KiB");
  expect("simulate --ranks 8", 0, "   64 MiB");
  expect("simulate", 0, " circulant  recursive_doubling  halving_doubling ");
  // 2(p-1) messages of latency and two overheads.
  expect("simulate ring --ranks 64 --size 8 --latency 1 --overhead 0.25 --json", 0,
         "\"ranks\":64,\"bytes\":8,\"seconds\":0.000189");
  expect("simulate ring knomial --size 1M --ranks 2:65536:32 --machine nvlink", 0, "    65536");
  expect("simulate ring --ranks 65535 --machine nvlink --size 4", 1,
         "up to 16777216 are simulated where ranks are not alike");
  expect("simulate --collective broadcast --ranks 3,5,7 --radix 3 --svg -", 0, "</svg>");
  expect("simulate knomial --collective barrier --ranks 4 --trace -", 0, "\"name\":\"rank 3\"");
}

TEST(Command, SimulatesSchedulesOnTheLinksOfANetwork) {
  const std::string network =
      " --machine '8 hosts, 1 ranks, 1 nics, fat tree of 2 hosts tapered 4:1'";
  expect("simulate --help", 0, "--flows ");
  expect("simulate --flows ring --size 64M" + network, 0,
         "    93 %  rack downlink        6.2 GB/s  rack 0; 93 % on average of 4");
  expect("simulate --flows ring double_tree --size 4:1M" + network, 0, "alone    sharing");
  expect("simulate --flows ring --size 1M --json" + network, 0,
         "\"links\":[{\"kind\":\"rack downlink\",\"links\":4,\"share\":0.88");
  expect("simulate --flows --svg -" + network, 0, "dashed: without sharing links");
  expect("topo --synthetic '4 x dgx-2' --text | '" + command_path +
             "' simulate --flows --topo - ring --size 1M",
         0, "allreduce of 64 ranks, simulated on -, tiles of 256 KiB");
  expect("simulate --flows --collective barrier knomial" + network, 0, "     0 B");
  expect("simulate --flows", 2, "--flows needs a network: one of --topo FILE and --machine");
  expect("simulate --flows --routing valiant" + network, 2, "--routing is minimal or spread");
  expect("simulate --flows --ranks 4" + network, 2, "--flows does not go with --ranks");
  expect("simulate --flows --size 4 --svg -" + network, 2, "a chart needs several --size");
  expect("simulate --flows --machine '4 dogs'", 1, "expected hosts, packages");
  expect("simulate --flows --machine '4 hosts, 1 ranks'", 1,
         "nothing says how fast the network between the 4 hosts is");
  expect("simulate --flows --costs /no/such/file" + network, 1, "cannot read /no/such/file");
}

TEST(Command, SimulateSaysWhatItDoesNotUnderstand) {
  expect("simulate disc", 2, "unknown algorithm 'disc'");
  expect("simulate ring --collective barrier", 2, "there is no ring barrier");
  expect("simulate --collective all", 2, "unknown collective 'all'");
  expect("simulate --machine abacus", 2, "there is no machine 'abacus'; known: loopback, 10gbe,");
  expect("simulate --ranks 0", 2, "--ranks is a number from 1 to 1048576, not '0'");
  expect("simulate --ranks 8:4", 2, "--ranks goes from 1 or more upwards, not '8:4'");
  expect("simulate --size 1:2:3:4", 2, "--size is FROM:TO or FROM:TO:FACTOR");
  expect("simulate --size 4:1M:1", 2, "the factor of --size is a number from 2");
  expect("simulate --size 5X", 2, "not '5X'");
  expect("simulate --ranks 2,4 --size 4,8", 2, "don't fit into one table");
  expect("simulate --bandwidth 0", 2, "option --bandwidth is above 0");
  expect("simulate --latency fast", 2, "option --latency is a number from 0 on, not 'fast'");
  expect("simulate --size 4 --svg -", 2, "a chart needs several --ranks or several --size");
  expect("simulate --trace -", 2, "a trace is of one ALGORITHM");
  expect("simulate ring --ranks 4096 --size 4 --trace -", 1, "too many for its viewers");
  expect("simulate --collective barrier --size 4", 2, "a barrier moves no bytes");
  expect("simulate --svg /no/such/folder/a.svg", 1, "cannot write /no/such/folder");
}

TEST(Command, TreesThroughAMachineAreDrawn) {
  const std::string network = " --topo --synthetic '2 hosts x 2 packages x 2 cores'";
  expect("draw chain_tree" + network, 0, "tree 2 of 2, from rank 6\n");
  expect("draw chain_tree" + network, 0, "  host              2 times, as few as can be\n");
  expect("draw double_tree" + network, 0, "; 2 would be the fewest\n");
  expect("draw knomial --collective broadcast --root 5 --radix 3" + network, 0,
         "knomial broadcast of 8 ranks on 2 hosts\n\nfrom rank 5\n");
  expect("draw chain_tree --svg -" + network, 0, "stroke-dasharray");
  expect("draw chain_tree --json" + network, 0, "\"kind\":\"trees\",\"ranks\":8,\"hosts\":2");
  expect("draw chain_tree --root 1" + network, 1, "root 1 does not fit allreduce");
}

TEST(Command, ProgramsGetWhatPeopleSee) {
  expect("schedule ring allreduce 2 --json", 0,
         "{\"plan\":{\"algorithm\":\"ring\",\"collective\":\"allreduce\",\"ranks\":2,");
  expect("schedule ring allreduce 2 --json", 0,
         "{\"op\":\"recv\",\"peer\":1,\"channel\":0,"
         "\"source\":{\"buffer\":\"in\",\"segment\":0,\"count\":1},"
         "\"destination\":{\"buffer\":\"out\",\"segment\":0,\"count\":1},"
         "\"about\":0,\"completes\":true,\"waits\":[]}");
  expect("draw ring allreduce 2 --json", 0,
         "\"rounds\":2,\"segments\":2,\"arrows\":[{\"round\":1,");
  expect("draw ring --json --topo --synthetic '1 host x 4 cores'", 0,
         "{\"title\":\"ring of 4 ranks on 1 host\",\"kind\":\"ring\",");
  expect("export --format dot ring allreduce 2 --json", 0,
         "{\"format\":\"dot\",\"plan\":{\"algorithm\":\"ring\",");
  expect("export --format chrome ring allreduce 2 --json", 0, "\"text\":\"{\\\"displayTimeUnit");
  expect("env --json", 0, "[{\"name\":\"RONDO_RANK\",\"meaning\":\"rank of this process");
  expect("draw ring allreduce 2 --json --svg -", 2, "give one of --json and --svg");
}

TEST(Command, TheRingThroughAMachineIsDrawn) {
  expect("draw ring --topo --synthetic '2 hosts x 2 packages x 2 cores'", 0,
         "  host              2 times, as few as can be");
  expect("topo --synthetic '4 hosts x 2 cores' --text | '" + command_path +
             "' draw ring --topo - --svg -",
         0, "</svg>");
  expect("draw ring --topo", 0, " on 1 host\n");  // the ranks of the present one are its cores
  expect("draw --topo", 2, "expected what to draw with --topo");
  expect("draw bruck --topo", 2, "there is no bruck allreduce; allreduce has ring, ");
  expect("draw two_shot --topo --synthetic '4 hosts x 2 cores'", 1,
         "a two_shot allreduce is neither a ring nor trees");
  expect("draw ring --topo --root 3 --synthetic '4 hosts x 2 cores'", 1,
         "root 3 does not fit allreduce of 8 ranks");
  expect("draw ring --topo --fast", 2, "unknown option '--fast'");
  expect("draw ring --topo /no/such/file", 1, "cannot read /no/such/file: No such file");
  expect("draw ring --topo --synthetic '3 dogs'", 1, "expected hosts, packages");
}

}  // namespace
}  // namespace rondo
