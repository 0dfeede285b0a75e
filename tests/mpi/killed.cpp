// A world of which one rank is killed between two calls: what the others are told. The test that
// runs it reads their lines.

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <span>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "rondo/communicator.hpp"

namespace {

constexpr int victim = 1;
constexpr int calls_before = 20;

// In one write, so that lines of several ranks stay whole.
void say(const std::string& text) {
  const std::string line = text + "\n";
  (void)!::write(STDOUT_FILENO, line.data(), line.size());
}

// What one rank is told: its communicator has ended when this returns.
void work(std::size_t elements) {
  rondo::Communicator comm = rondo::Communicator::from_env();
  std::vector<float> data(elements, 1);
  try {
    for (int call = 0;; ++call) {
      if (call == calls_before && comm.rank() == victim) ::raise(SIGKILL);
      comm.allreduce(data, rondo::Op::max);
    }
  } catch (const rondo::Error& error) {
    std::ostringstream text;
    text << "rank " << comm.rank() << " got " << name(error.code()) << " about rank "
         << error.peer() << ": " << error.text();
    say(text.str());
  }
}

}  // namespace

// usage: killed [elements]
int main(int count, char** values) {
  work(count > 1 ? std::strtoul(values[1], nullptr, 10) : 1000);
  // Without a word to MPI, whose end would wait for the dead.
  ::_exit(0);
}
