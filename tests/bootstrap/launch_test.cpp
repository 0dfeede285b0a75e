// Each launcher's real variables, and the traps between them.

#include <gtest/gtest.h>

#include "bootstrap/slurm.hpp"
#include "bootstrap/world.hpp"
#include "variables.hpp"

namespace rondo {
namespace {

using test::lookup_in;
using test::Variables;

Launch launch_of(const Variables& variables) {
  const Result<Launch> launch = read_launch(lookup_in(variables));
  EXPECT_TRUE(launch.ok()) << launch.error().text();
  return launch ? launch.value() : Launch{};
}

std::string refusal_of(const Variables& variables) {
  const Result<Launch> launch = read_launch(lookup_in(variables));
  EXPECT_FALSE(launch.ok());
  if (launch) return "";
  EXPECT_EQ(launch.error().code(), ErrorCode::invalid_argument);
  return launch.error().text();
}

Variables with(Variables variables, const Variables& more) {
  for (const auto& [name, value] : more) variables[name] = value;
  return variables;
}

Variables without(Variables variables, const std::string& name) {
  variables.erase(name);
  return variables;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

#define EXPECT_CONTAINS(text, part) EXPECT_TRUE(contains(text, part)) << text

const Variables rondo_run = {{"RONDO_RANK", "2"},
                             {"RONDO_SIZE", "4"},
                             {"RONDO_LOCAL_RANK", "2"},
                             {"RONDO_LOCAL_SIZE", "4"},
                             {"RONDO_STORE", "file:/tmp/rondo-run-Xy/root"},
                             {"RONDO_JOB", "0123456789abcdef"},
                             {"RANK", "2"},
                             {"WORLD_SIZE", "4"}};

const Variables torchrun = {{"RANK", "1"},
                            {"WORLD_SIZE", "2"},
                            {"LOCAL_RANK", "1"},
                            {"LOCAL_WORLD_SIZE", "2"},
                            {"GROUP_RANK", "0"},
                            {"MASTER_ADDR", "localhost"},
                            {"MASTER_PORT", "29500"},
                            {"TORCHELASTIC_RUN_ID", "none"},
                            {"TORCHELASTIC_RESTART_COUNT", "0"}};

const Variables open_mpi = {
    {"OMPI_COMM_WORLD_RANK", "3"},       {"OMPI_COMM_WORLD_SIZE", "4"},
    {"OMPI_COMM_WORLD_LOCAL_RANK", "3"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"},
    {"OMPI_COMM_WORLD_NODE_RANK", "3"},  {"PMIX_RANK", "3"},
    {"PMIX_NAMESPACE", "1867776001"}};

const Variables allocation = {{"SLURM_JOB_ID", "77"},
                              {"SLURM_NTASKS", "7"},
                              {"SLURM_NNODES", "3"},
                              {"SLURM_JOB_NODELIST", "node[07-08],big1"},
                              {"SLURM_TASKS_PER_NODE", "2(x2),3"}};

const Variables slurm_step = with(allocation, {{"SLURM_STEP_ID", "1"},
                                               {"SLURM_PROCID", "5"},
                                               {"SLURM_LOCALID", "1"},
                                               {"SLURM_NODEID", "2"},
                                               {"SLURM_STEP_NUM_TASKS", "7"},
                                               {"SLURM_STEP_NODELIST", "node[07-08],big1"},
                                               {"SLURM_STEP_TASKS_PER_NODE", "2(x2),3"}});

const Variables hydra = {{"PMI_RANK", "1"},
                         {"PMI_SIZE", "2"},
                         {"PMI_FD", "9"},
                         {"MPI_LOCALRANKID", "1"},
                         {"MPI_LOCALNRANKS", "2"}};

TEST(Launch, NoVariablesAreAWorldOfOne) {
  const Launch launch = launch_of({});
  EXPECT_EQ(launch.launcher, "none");
  EXPECT_EQ(launch.rank, 0);
  EXPECT_EQ(launch.size, 1);
  EXPECT_EQ(launch.rendezvous, "");
}

TEST(Launch, RondoRun) {
  const Launch launch = launch_of(rondo_run);
  EXPECT_EQ(launch.launcher, "rondo");
  EXPECT_EQ(launch.rank, 2);
  EXPECT_EQ(launch.size, 4);
  EXPECT_EQ(launch.local_rank, 2);
  EXPECT_EQ(launch.local_size, 4);
  EXPECT_EQ(launch.rendezvous, "file:/tmp/rondo-run-Xy/root");
  EXPECT_EQ(launch.job, "0123456789abcdef");
}

TEST(Launch, ByHandNeedsAPlaceToMeet) {
  const Variables bare = {{"RONDO_RANK", "0"}, {"RONDO_SIZE", "2"}};
  EXPECT_CONTAINS(refusal_of(bare), "RONDO_ROOT=HOST:PORT");
  const Launch launch =
      launch_of(with(bare, {{"RONDO_ROOT", "node7:29400"}, {"RONDO_LISTEN", "10.0.0.7"}}));
  EXPECT_EQ(launch.rendezvous, "node7:29400");
  EXPECT_EQ(launch.listen, "10.0.0.7");
}

TEST(Launch, ByHandAWorldOfOneNeedsNothing) {
  EXPECT_EQ(launch_of({{"RONDO_RANK", "0"}, {"RONDO_SIZE", "1"}}).size, 1);
}

TEST(Launch, TorchrunOnOneHostMeetsInAFile) {
  const Launch launch = launch_of(torchrun);
  EXPECT_EQ(launch.launcher, "torchrun");
  EXPECT_EQ(launch.rank, 1);
  EXPECT_EQ(launch.size, 2);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_TRUE(launch.rendezvous.starts_with("file:/")) << launch.rendezvous;
}

TEST(Launch, TorchrunJobsAndRestartsDoNotMeet) {
  const Launch launch = launch_of(torchrun);
  EXPECT_EQ(launch.rendezvous, launch_of(with(torchrun, {{"RANK", "0"}})).rendezvous);
  for (const Variables& other :
       {Variables{{"TORCHELASTIC_RESTART_COUNT", "1"}}, Variables{{"MASTER_PORT", "29501"}},
        Variables{{"TORCHELASTIC_RUN_ID", "another"}}}) {
    EXPECT_NE(launch.rendezvous, launch_of(with(torchrun, other)).rendezvous);
    EXPECT_NE(launch.job, launch_of(with(torchrun, other)).job);
  }
}

TEST(Launch, TorchrunOnSeveralHostsAvoidsThePortOfItsOwnStore) {
  const Variables hosts = with(torchrun, {{"LOCAL_WORLD_SIZE", "1"},
                                          {"LOCAL_RANK", "0"},
                                          {"MASTER_ADDR", "node7"},
                                          {"TORCHELASTIC_RESTART_COUNT", "3"}});
  const Launch launch = launch_of(hosts);
  EXPECT_TRUE(launch.rendezvous.starts_with("node7:2") || launch.rendezvous.starts_with("node7:3"))
      << launch.rendezvous;
  EXPECT_FALSE(contains(launch.rendezvous, "29500"));
  // Agents count their restarts each for itself: the count must not keep their ranks apart.
  EXPECT_EQ(launch.job, launch_of(with(hosts, {{"TORCHELASTIC_RESTART_COUNT", "4"}})).job);
}

TEST(Launch, AnIpv6MasterIsPutInBrackets) {
  const Launch launch = launch_of(
      with(torchrun, {{"LOCAL_WORLD_SIZE", "1"}, {"LOCAL_RANK", "0"}, {"MASTER_ADDR", "fd00::7"}}));
  EXPECT_TRUE(launch.rendezvous.starts_with("[fd00::7]:")) << launch.rendezvous;
}

TEST(Launch, RankAndWorldSizeAloneWork) {
  const Launch launch =
      launch_of({{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "master-0"}});
  EXPECT_EQ(launch.launcher, "RANK");
  EXPECT_TRUE(launch.rendezvous.starts_with("master-0:"));
  EXPECT_TRUE(launch_of({{"RANK", "1"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "127.0.0.1"}})
                  .rendezvous.starts_with("file:"));
  EXPECT_CONTAINS(refusal_of({{"RANK", "1"}, {"WORLD_SIZE", "2"}}), "MASTER_ADDR");
}

TEST(Launch, RankWithoutWorldSizeIsAnError) {
  EXPECT_CONTAINS(refusal_of({{"RANK", "1"}}), "RANK is set but WORLD_SIZE is not");
  EXPECT_CONTAINS(refusal_of({{"WORLD_SIZE", "4"}}), "WORLD_SIZE is set but RANK is not");
  EXPECT_CONTAINS(refusal_of({{"RONDO_RANK", "1"}}), "RONDO_RANK is set but RONDO_SIZE is not");
  EXPECT_CONTAINS(refusal_of({{"RONDO_SIZE", "2"}}), "RONDO_SIZE is set but RONDO_RANK is not");
  EXPECT_CONTAINS(refusal_of({{"PMI_RANK", "0"}}), "PMI_SIZE");
  EXPECT_CONTAINS(refusal_of(without(open_mpi, "OMPI_COMM_WORLD_RANK")), "OMPI_COMM_WORLD_RANK");
}

TEST(Launch, WorldSizeExportedByABatchScriptDoesNotHideTheStep) {
  EXPECT_EQ(launch_of(with(slurm_step, {{"WORLD_SIZE", "7"}})).launcher, "Slurm");
}

TEST(Launch, OpenMpiOnOneHost) {
  const Launch launch = launch_of(open_mpi);
  EXPECT_EQ(launch.launcher, "Open MPI");
  EXPECT_EQ(launch.rank, 3);
  EXPECT_EQ(launch.local_size, 4);
  EXPECT_TRUE(launch.rendezvous.starts_with("file:/"));
  EXPECT_NE(launch.rendezvous, launch_of(with(open_mpi, {{"PMIX_NAMESPACE", "5"}})).rendezvous);
}

TEST(Launch, OpenMpiOnSeveralHostsMeetsOverPmixOrSaysWhatItNeeds) {
  const Variables hosts =
      with(open_mpi, {{"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}, {"OMPI_COMM_WORLD_LOCAL_RANK", "1"}});
  EXPECT_EQ(launch_of(hosts).rendezvous, "pmix");
  EXPECT_CONTAINS(refusal_of(without(hosts, "PMIX_NAMESPACE")), "-x RONDO_ROOT=HOST:PORT");
  const Launch launch = launch_of(with(hosts, {{"RONDO_ROOT", "node1:30000"}}));
  EXPECT_EQ(launch.rendezvous, "node1:30000");
  EXPECT_EQ(launch.job, "ompi 1867776001");
}

TEST(Launch, PmixOnOneHostWhereItIsAskedFor) {
  EXPECT_EQ(launch_of(with(open_mpi, {{"RONDO_STORE", "pmix"}})).rendezvous, "pmix");
}

TEST(Launch, SlurmStep) {
  const Launch launch = launch_of(slurm_step);
  EXPECT_EQ(launch.launcher, "Slurm");
  EXPECT_EQ(launch.rank, 5);
  EXPECT_EQ(launch.size, 7);
  EXPECT_EQ(launch.local_rank, 1);
  EXPECT_EQ(launch.local_size, 3);
  EXPECT_TRUE(launch.rendezvous.starts_with("node07:")) << launch.rendezvous;
  EXPECT_NE(launch.rendezvous, launch_of(with(slurm_step, {{"SLURM_STEP_ID", "2"}})).rendezvous);
}

TEST(Launch, SlurmStepOnOneHostMeetsInAFile) {
  const Launch launch = launch_of(with(slurm_step, {{"SLURM_STEP_NUM_TASKS", "4"},
                                                    {"SLURM_PROCID", "3"},
                                                    {"SLURM_LOCALID", "3"},
                                                    {"SLURM_NODEID", "0"},
                                                    {"SLURM_STEP_NODELIST", "node07"},
                                                    {"SLURM_STEP_TASKS_PER_NODE", "4"}}));
  EXPECT_EQ(launch.size, 4);  // of the step, not of the allocation
  EXPECT_TRUE(launch.rendezvous.starts_with("file:/")) << launch.rendezvous;
}

TEST(Launch, AnAllocationWithoutAStepIsAWorldOfOne) {
  EXPECT_EQ(launch_of(allocation).launcher, "none");
  // A batch script has a task number, but no step.
  EXPECT_EQ(launch_of(with(allocation, {{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}})).size, 1);
  // The shell that salloc opens is a step of its own kind.
  const Launch shell =
      launch_of(with(allocation, {{"SLURM_PROCID", "0"}, {"SLURM_STEP_ID", "4294967290"}}));
  EXPECT_EQ(shell.launcher, "none");
}

TEST(Launch, MpirunInsideABatchScriptWins) {
  EXPECT_EQ(launch_of(with(slurm_step, open_mpi)).launcher, "Open MPI");
}

TEST(Launch, Hydra) {
  const Launch launch = launch_of(hydra);
  EXPECT_EQ(launch.launcher, "PMI");
  EXPECT_EQ(launch.rank, 1);
  EXPECT_EQ(launch.local_size, 2);
  EXPECT_TRUE(launch.rendezvous.starts_with("file:/"));
  EXPECT_CONTAINS(refusal_of(without(hydra, "MPI_LOCALNRANKS")), "RONDO_ROOT");
}

TEST(Launch, PrecedenceOfAllFamilies) {
  Variables all = with(with(with(with(rondo_run, torchrun), open_mpi), slurm_step), hydra);
  EXPECT_EQ(launch_of(all).launcher, "rondo");
  all.erase("RONDO_RANK");
  all.erase("RONDO_SIZE");
  EXPECT_EQ(launch_of(all).launcher, "torchrun");
  all.erase("RANK");
  EXPECT_EQ(launch_of(all).launcher, "Open MPI");
  all.erase("OMPI_COMM_WORLD_RANK");
  all.erase("OMPI_COMM_WORLD_SIZE");
  EXPECT_EQ(launch_of(all).launcher, "Slurm");
  all.erase("SLURM_STEP_ID");
  EXPECT_EQ(launch_of(all).launcher, "PMI");
}

TEST(Launch, MalformedValuesNameVariableValueAndExpectation) {
  struct Case {
    Variables variables;
    std::string expected;
  };
  const std::vector<Case> cases = {
      {with(rondo_run, {{"RONDO_RANK", "two"}}),
       "RONDO_RANK=two: expected a whole number from 0 to 65535"},
      {with(rondo_run, {{"RONDO_RANK", "4"}}), "RONDO_RANK=4: expected a rank from 0 to 3"},
      {with(rondo_run, {{"RONDO_RANK", "-1"}}), "RONDO_RANK=-1"},
      {with(rondo_run, {{"RONDO_RANK", "2 "}}), "RONDO_RANK=2 "},
      {with(rondo_run, {{"RONDO_SIZE", "0"}}), "RONDO_SIZE=0: expected a whole number from 1"},
      {with(rondo_run, {{"RONDO_SIZE", "99999999999999999999"}}), "RONDO_SIZE=9999"},
      {with(rondo_run, {{"RONDO_LOCAL_RANK", "4"}}), "since RONDO_LOCAL_SIZE=4"},
      {with(rondo_run, {{"RONDO_LOCAL_SIZE", "5"}}), "RONDO_LOCAL_SIZE=5"},
      {with(rondo_run, {{"RONDO_STORE", "/tmp/x"}}),
       "RONDO_STORE=/tmp/x: expected file:PATH, or pmix"},
      {with(rondo_run, {{"RONDO_STORE", "file:"}}), "RONDO_STORE=file:"},
      {with(rondo_run, {{"RONDO_ROOT", "a:1"}}), "to be unset"},
      {with(open_mpi, {{"RONDO_ROOT", "a"}}), "RONDO_ROOT=a: expected HOST:PORT"},
      {with(open_mpi, {{"RONDO_ROOT", "a:0"}}), "RONDO_ROOT=a:0"},
      {with(open_mpi, {{"RONDO_ROOT", "a:65536"}}), "RONDO_ROOT=a:65536"},
      {with(open_mpi, {{"RONDO_ROOT", "a:5-4"}}), "RONDO_ROOT=a:5-4"},
      {with(open_mpi, {{"RONDO_ROOT", "::1:5"}}), "an IPv6 address needs brackets"},
      {with(slurm_step, {{"SLURM_STEP_TASKS_PER_NODE", "2(y2)"}}),
       "SLURM_STEP_TASKS_PER_NODE=2(y2)"},
      {with(slurm_step, {{"SLURM_STEP_NODELIST", "node[7"}}), "SLURM_STEP_NODELIST=node[7"},
  };
  for (const Case& item : cases) EXPECT_CONTAINS(refusal_of(item.variables), item.expected);
}

TEST(Launch, AnEmptyVariableCountsAsNotSet) {
  EXPECT_EQ(launch_of({{"RANK", ""}, {"WORLD_SIZE", ""}}).launcher, "none");
}

TEST(Slurm, FirstHost) {
  EXPECT_EQ(first_slurm_host("node7"), "node7");
  EXPECT_EQ(first_slurm_host("node7,node8"), "node7");
  EXPECT_EQ(first_slurm_host("node[01-03,07],gpu5"), "node01");
  EXPECT_EQ(first_slurm_host("node[5,7]"), "node5");
  EXPECT_EQ(first_slurm_host("r[1-2]n[3-4]"), "r1n3");
  EXPECT_EQ(first_slurm_host("a[2]-ib,b"), "a2-ib");
  EXPECT_EQ(first_slurm_host("gpu-3.cluster.local,x"), "gpu-3.cluster.local");
  for (const char* broken : {"", ",a", "node[", "node[]", "node]1", "node[-3]"}) {
    EXPECT_EQ(first_slurm_host(broken), std::nullopt) << broken;
  }
}

TEST(Slurm, TasksOnNode) {
  EXPECT_EQ(slurm_tasks_on_node("4", 0), 4);
  EXPECT_EQ(slurm_tasks_on_node("4(x2),3", 1), 4);
  EXPECT_EQ(slurm_tasks_on_node("4(x2),3", 2), 3);
  EXPECT_EQ(slurm_tasks_on_node("4(x2),3", 3), std::nullopt);
  for (const char* broken : {"", "x", "4(x", "4(x0)", "4(x2", "(x2)", "0"}) {
    EXPECT_EQ(slurm_tasks_on_node(broken, 0), std::nullopt) << broken;
  }
}

}  // namespace
}  // namespace rondo
