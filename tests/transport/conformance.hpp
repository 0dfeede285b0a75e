#pragma once

// The conformance kit: what every transport has to do, as checks against rondo/transport.hpp alone.
//
// A transport is supported when its test file passes:
//
//   #include "transport/conformance.hpp"
//   #include "transport/inproc.hpp"
//
//   int main(int argc, char** argv) {
//     return rondo::conformance::run_tests(argc, argv, "inproc", rondo::make_inproc);
//   }
//
// A check returns what went wrong instead of failing a test, so that the kit itself can be tested
// with transports that are broken on purpose. All waits have a deadline; a transport that returns
// from its functions cannot make a check hang.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/transport.hpp"

namespace rondo::conformance {

/// Makes a new world of some ranks, in rank order. It may use threads to do so. Ranks that are
/// other processes are null. A factory that cannot, throws.
using Factory = std::function<std::vector<std::unique_ptr<Transport>>(int ranks)>;

#ifdef __SANITIZE_THREAD__
inline constexpr bool is_slow = true;
#else
inline constexpr bool is_slow = false;
#endif

/// What ranks share that are processes of their own. Each of them runs its part of every check.
struct Processes {
  std::atomic<int>* stages = nullptr;  ///< in memory of all of them, by rank
  std::atomic<bool>* stopped = nullptr;
  std::function<void()> barrier = {};
};

struct Options {
  std::chrono::milliseconds deadline = std::chrono::seconds(60);  ///< of every wait
  /// Patience of the polls that something else than time has to end, at half of it at the latest.
  std::chrono::milliseconds long_sleep = std::chrono::seconds(20);
  std::size_t large_bytes = std::size_t{64} << 20;
  /// Whether to send a message of more than 2 GiB. Skipped where less than 8 GiB are available.
  /// ThreadSanitizer looks at each of its bytes, which takes a minute on a busy machine.
  bool huge = !is_slow;
  const Processes* processes = nullptr;  ///< null: ranks are threads of this process
};

using Failures = std::vector<std::string>;

struct Check {
  std::string_view name;
  Failures (*run)(const Factory& factory, const Options& options);
};

/// All checks. Their names say what a conforming transport does.
const std::vector<Check>& checks();

/// Runs every check as a GoogleTest, in a suite of the name `transport`; the exit status of main().
int run_tests(int argc, char** argv, const char* transport, Factory factory, Options options = {});

}  // namespace rondo::conformance
