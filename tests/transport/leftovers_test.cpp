// What worlds leave behind when they end, also by kill -9: nothing. With an argument, a number, so
// many times as many worlds.

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "harness/processes.hpp"
#include "transport/processes.hpp"
#include "transport/shm/door.hpp"

namespace rondo::process {
namespace {

constexpr int ranks = 3;
int factor = 1;

// Mappings of rondo's shared memory in this process.
int mapped_segments() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:rondo") != std::string::npos) ++count;
  }
  return count;
}

std::vector<std::string> files_in(const char* folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (name.find("rondo") != std::string::npos) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

// On the heap. Sanitizers have one of their own, of which this says nothing; they report leaks.
std::size_t bytes_in_use() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

// What this process has. Threads that ended may have left a few blocks for the next ones.
class Belongings {
 public:
  void expect_unchanged() const {
    EXPECT_EQ(mapped_segments(), segments_);
    EXPECT_EQ(open_descriptors(), descriptors_);
    EXPECT_EQ(files_in("/dev/shm"), files_);
    EXPECT_LT(bytes_in_use(), bytes_ + kept_bytes);
  }

 private:
  static constexpr std::size_t kept_bytes = 64 << 10;

  int segments_ = mapped_segments();
  int descriptors_ = open_descriptors();
  std::vector<std::string> files_ = files_in("/dev/shm");
  std::size_t bytes_ = bytes_in_use();
};

bool has_door(std::uint64_t id) {
  const Result<Socket> socket = knock(id);
  return socket.ok();
}

void make_and_drop_transports() {
  Transports transports = make_world(ranks);
  on_all_ranks(ranks, [&](int rank) {
    const auto error = exchange(*transports[rank], 1, allreduce_of(1), 200000);
    ASSERT_FALSE(error) << error->text();
    const std::vector<int> members = {0, 2};
    if (rank == 1) return;
    auto part = transports[rank]->split(members, 7);
    ASSERT_TRUE(part.ok());
    const auto failed = exchange(*part.value(), 1, allreduce_of(1), 10);
    ASSERT_FALSE(failed) << failed->text();
  });
  ASSERT_GT(mapped_segments(), 0) << "nothing was shared";
}

TEST(Leftovers, worlds_that_end_leave_nothing) {
  make_and_drop_transports();  // what is made once for the process
  ASSERT_EQ(mapped_segments(), 0);
  const Belongings before;
  for (int world = 0; world < 50 * factor && !HasFailure(); ++world) {
    SCOPED_TRACE(world);
    make_and_drop_transports();
    before.expect_unchanged();
  }
}

// How many operations each rank of a world of processes has carried out, where all can see it.
class Progress {
 public:
  Progress()
      : counts_(static_cast<Counts*>(::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE,
                                            MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { ::munmap(counts_, sizeof(Counts)); }

  std::atomic<int>& of(int rank) const { return (*counts_)[static_cast<std::size_t>(rank)]; }

 private:
  using Counts = std::array<std::atomic<int>, ranks>;
  Counts* counts_;
};

// Kills a world after the first operation, in the midst of one of the next.
void kill_a_world(std::chrono::milliseconds later) {
  std::vector<std::uint64_t> doors;
  {
    const Progress progress;
    const ProcessWorld world(
        ranks,
        [&](Transport& transport) -> std::optional<Error> {
          for (std::uint64_t sequence = 1;; ++sequence) {
            auto error = exchange(transport, sequence, allreduce_of(9), 1 << 20);
            if (error) return error;
            ++progress.of(transport.rank());
          }
        },
        [&](const std::vector<Membership>& all) {
          for (const Member& member : all[0].members) doors.push_back(member.door);
        });
    for (int rank = 0; rank < ranks; ++rank) {
      ASSERT_EQ(world.read_line(rank), "formed");
      while (progress.of(rank) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(later);
    // The end of the block kills all of them with SIGKILL.
  }
  for (const std::uint64_t door : doors) EXPECT_FALSE(has_door(door));
}

TEST(Leftovers, worlds_that_are_killed_leave_nothing) {
  const Belongings before;
  for (int world = 0; world < 5 * factor && !HasFailure(); ++world) {
    SCOPED_TRACE(world);
    kill_a_world(std::chrono::milliseconds(world % 10));
    before.expect_unchanged();
  }
}

void make_and_drop_communicators(const testing::Folder& folder, int world) {
  ::setenv("RONDO_STORE", ("file:" + folder.path(std::to_string(world))).c_str(), 1);
  Communicator comm = Communicator::from_env({.transport = "shm"});
  EXPECT_EQ(comm.allreduce_value(1), comm.size());
  Communicator part = comm.split(comm.rank() % 2, 0);
  EXPECT_EQ(part.allreduce_value(1), part.size());
  EXPECT_GT(mapped_segments(), 0) << "nothing was shared";
}

TEST(Leftovers, communicators_that_end_leave_nothing) {
  const testing::Folder folder;
  testing::on_processes_over("shm", ranks, {}, [&](Communicator&) {
    make_and_drop_communicators(folder, 0);
    const Belongings before;
    for (int world = 1; world <= 5 * factor && !::testing::Test::HasFailure(); ++world) {
      SCOPED_TRACE(world);
      make_and_drop_communicators(folder, world);
      before.expect_unchanged();
    }
  });
}

}  // namespace
}  // namespace rondo::process

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  ::setenv("RONDO_TEST_MEDIUM", "shm", 1);  // what could leave anything behind
  if (argc > 1) rondo::process::factor = std::max(1, std::atoi(argv[1]));
  return RUN_ALL_TESTS();
}
