#pragma once

// Ranks as processes that have a world of their own without any bootstrap.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "transport/process_world.hpp"

namespace rondo::process {

/// Each rank writes "formed", and then the error it got or "fine", into a pipe.
class ProcessWorld {
 public:
  using Body = std::function<std::optional<Error>(Transport& transport)>;

  /// `look` sees what the ranks get; `prepare` is what each of them does before they meet.
  ProcessWorld(int ranks, const Body& body,
               const std::function<void(const std::vector<Membership>&)>& look = {},
               Medium medium = medium_under_test(),
               const std::function<void(int rank)>& prepare = {}) {
    std::vector<Membership> all = memberships(ranks, medium);
    if (look) look(all);
    for (int rank = 0; rank < ranks; ++rank) {
      int ends[2];
      if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
      const pid_t pid = ::fork();
      if (pid == 0) {
        Membership own = std::move(all[rank]);
        all.clear();  // or the other ranks' listeners would outlive them here
        if (prepare) prepare(rank);
        run(std::move(own), body, ends[1]);
      }
      ::close(ends[1]);
      pids_.push_back(pid);
      outputs_.emplace_back(ends[0]);
    }
  }
  ~ProcessWorld() {
    for (const pid_t pid : pids_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  void signal(int rank, int number) const { ::kill(pids_[rank], number); }
  /// One line: what the rank says next, or "" at its end.
  std::string read_line(int rank) const {
    std::string line;
    for (char next = 0; ::read(outputs_[rank].fd(), &next, 1) == 1 && next != '\n';) line += next;
    return line;
  }

 private:
  [[noreturn]] static void run(Membership membership, const Body& body, int output) {
    {
      auto made = make_transport(std::move(membership), Transport::Clock::now() + patience);
      std::string line = "no world";
      if (made) {
        say(output, "formed");
        const auto error = body(*made.value());
        line = error ? concat(name(error->code()), " ", error->peer(), " ", error->text()) : "fine";
      }
      say(output, line);
    }
    ::_exit(0);
  }
  static void say(int output, std::string line) {
    line += '\n';
    (void)!::write(output, line.data(), line.size());
  }

  std::vector<pid_t> pids_;
  std::vector<Socket> outputs_;
};

/// `body` on two ranks: threads, over either medium, and processes that share memory.
inline void expect_fine_between_two(const ProcessWorld::Body& body) {
  for (const Medium medium : {Medium::shm, Medium::tcp}) {
    const Transports world = make_world(2, medium);
    on_all_ranks(2, [&](int rank) {
      const auto error = body(*world[rank]);
      EXPECT_FALSE(error) << error->text();
    });
  }
  const ProcessWorld world(2, body, {}, Medium::shm);
  for (int rank = 0; rank < 2; ++rank) {
    ASSERT_EQ(world.read_line(rank), "formed");
    EXPECT_EQ(world.read_line(rank), "fine");
  }
}

}  // namespace rondo::process
