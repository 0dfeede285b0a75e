#include "cli/mpi_below.hpp"

#include <gtest/gtest.h>

#include <map>

namespace rondo::cli {
namespace {

// A machine on which nothing tells, but for what a test says.
struct Machine {
  std::map<std::string, std::string> variables = {};
  std::map<std::string, std::string> versions = {};
  std::map<std::string, std::string> contents = {};
  std::map<std::string, std::string> libraries = {};

  MpiSigns signs() const {
    const auto look = [](const std::map<std::string, std::string>& from, const std::string& key) {
      const auto found = from.find(key);
      return found == from.end() ? std::string() : found->second;
    };
    return {[this](std::string_view name) -> std::optional<std::string> {
              const auto found = variables.find(std::string(name));
              if (found == variables.end()) return std::nullopt;
              return found->second;
            },
            [=, this](const std::string& program) { return look(versions, program); },
            [=, this](const std::string& program) { return look(contents, program); },
            [=, this](const std::string& library) { return look(libraries, library); }};
  }
};

TEST(MpiBelow, LaunchersSayTheirVersion) {
  const Machine machine = {
      .versions = {{"mpirun", "mpirun (Open MPI) 4.1.4\n\nReport bugs to http://x\n"},
                   {"/opt/bin/mpiexec.hydra",
                    "HYDRA build details:\n    Version:                                 4.0.2\n"},
                   {"/usr/bin/mpirun.openmpi", "/usr/bin/mpirun.openmpi (OpenRTE) 4.1.4\n"},
                   {"mpiexec", "something else"}}};
  auto found = find_mpi("mpirun", machine.signs());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->family, MpiFamily::open_mpi);
  EXPECT_EQ(found->version, "4.1.4");
  found = find_mpi("/usr/bin/mpirun.openmpi", machine.signs());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->version, "4.1.4");
  found = find_mpi("/opt/bin/mpiexec.hydra", machine.signs());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->family, MpiFamily::mpich);
  EXPECT_EQ(found->version, "4.0.2");
  EXPECT_FALSE(find_mpi("mpiexec", machine.signs()));
}

TEST(MpiBelow, InsideMpirun) {
  const Machine machine = {
      .variables = {{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "3"}},
      .libraries = {{"libmpi.so.40", "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4"}}};
  const auto found = find_mpi("python3", machine.signs());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->family, MpiFamily::open_mpi);
  EXPECT_EQ(found->version, "4.1.4");
  EXPECT_EQ(rank_of_launcher(machine.signs()), "3");
}

TEST(MpiBelow, ProgramsNameTheirLibrary) {
  Machine machine = {.contents = {{"./open", "ELF libmpi.so.40 libc.so.6"},
                                  {"./mpich", "ELF libmpich.so.12 libc.so.6"},
                                  {"./other", "ELF libc.so.6"}}};
  EXPECT_EQ(find_mpi("./open", machine.signs())->family, MpiFamily::open_mpi);
  EXPECT_EQ(find_mpi("./open", machine.signs())->version, "");
  EXPECT_EQ(find_mpi("./mpich", machine.signs())->family, MpiFamily::mpich);
  EXPECT_FALSE(find_mpi("./other", machine.signs()));
  // Slurm sets PMI_RANK for either, so the program's own word goes before.
  machine.variables.emplace("PMI_RANK", "0");
  EXPECT_EQ(find_mpi("./open", machine.signs())->family, MpiFamily::open_mpi);
  EXPECT_EQ(find_mpi("./other", machine.signs())->family, MpiFamily::mpich);
}

TEST(MpiBelow, NobodyTells) {
  EXPECT_FALSE(find_mpi("python3", Machine().signs()));
  EXPECT_FALSE(rank_of_launcher(Machine().signs()));
}

}  // namespace
}  // namespace rondo::cli
