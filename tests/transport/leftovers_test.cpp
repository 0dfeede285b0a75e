// What worlds leave behind when they end, also by kill -9: nothing. With an argument, a number, so
// many times as many worlds.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "transport/processes.hpp"
#include "transport/shm/door.hpp"

namespace rondo::process {
namespace {

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

bool has_door(std::uint64_t id) {
  const Result<Socket> socket = knock(id);
  return socket.ok();
}

TEST(Leftovers, worlds_that_end_leave_nothing) {
  const int descriptors = open_descriptors();
  const auto files = files_in("/dev/shm");
  ASSERT_EQ(mapped_segments(), 0);
  for (int world = 0; world < 50 * factor; ++world) {
    Transports transports = make_world(3);
    on_all_ranks(3, [&](int rank) {
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
    transports.clear();
    ASSERT_EQ(mapped_segments(), 0) << "world " << world;
    ASSERT_EQ(open_descriptors(), descriptors) << "world " << world;
  }
  EXPECT_EQ(files_in("/dev/shm"), files);
}

TEST(Leftovers, worlds_that_are_killed_leave_nothing) {
  const int descriptors = open_descriptors();
  const auto files = files_in("/dev/shm");
  for (int world = 0; world < 5 * factor; ++world) {
    std::vector<std::uint64_t> doors;
    {
      const ProcessWorld processes(
          3,
          [](Transport& transport) -> std::optional<Error> {
            for (std::uint64_t sequence = 1;; ++sequence) {
              auto error = exchange(transport, sequence, allreduce_of(9), 1 << 20);
              if (error) return error;
            }
          },
          [&](const std::vector<Membership>& all) {
            for (const Member& member : all[0].members) doors.push_back(member.door);
          });
      for (int rank = 0; rank < 3; ++rank) ASSERT_EQ(processes.read_line(rank), "formed");
      std::this_thread::sleep_for(std::chrono::milliseconds(world % 10));
      // The end of the block kills all of them with SIGKILL.
    }
    for (const std::uint64_t door : doors) EXPECT_FALSE(has_door(door)) << "world " << world;
    ASSERT_EQ(open_descriptors(), descriptors) << "world " << world;
  }
  EXPECT_EQ(files_in("/dev/shm"), files);
}

}  // namespace
}  // namespace rondo::process

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (argc > 1) rondo::process::factor = std::max(1, std::atoi(argv[1]));
  return RUN_ALL_TESTS();
}
