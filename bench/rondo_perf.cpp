// rondo-perf: the library measured through its public interface.

#include <algorithm>
#include <exception>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/text.hpp"
#include "bench/device.hpp"
#include "bench/options.hpp"
#include "bench/rondo_library.hpp"
#include "bench/suite.hpp"

namespace {

using rondo::Communicator;
namespace bench = rondo::bench;

int exit_code_of(const std::exception& thrown) {
  const auto* error = dynamic_cast<const rondo::Error*>(&thrown);
  const bool refused = error != nullptr && error->code() == rondo::ErrorCode::invalid_argument;
  return refused ? bench::exit_usage : bench::exit_wrong;
}

std::unique_ptr<bench::Library> library_of(Communicator& communicator,
                                           const bench::Options& options) {
  if (!options.device) return std::make_unique<bench::Rondo>(communicator);
  return std::make_unique<bench::RondoOnDevice>(communicator, bench::Devices(), options.reading,
                                                options.graph);
}

/// Never throws: an error of one rank must not take the others' messages with it.
int run_rank(Communicator& communicator, const bench::Options& options) {
  const int rank = communicator.rank();
  try {
    return bench::run_suite(*library_of(communicator, options), options, std::cout);
  } catch (const std::exception& error) {
    std::cerr << rondo::concat("rondo-perf: rank ", rank, ": ", error.what(), "\n");
    return exit_code_of(error);
  }
}

/// The failed rank leaves the world, so that the others are told instead of waiting.
int run_thread(Communicator communicator, const bench::Options& options) {
  return run_rank(communicator, options);
}

int run_inproc(const bench::Options& options, const rondo::Options& settings) {
  std::vector<Communicator> world = Communicator::local(options.ranks, settings);
  std::vector<int> codes(world.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < world.size(); ++i) {
    threads.emplace_back([&, i] { codes[i] = run_thread(std::move(world[i]), options); });
  }
  for (std::thread& thread : threads) thread.join();
  int worst = 0;
  for (const int code : codes) worst = std::max(worst, code);
  return worst;
}

int run(const bench::Options& options) {
  rondo::Options settings;
  settings.algorithm = options.algorithm;
  settings.tile_bytes = options.tile_bytes;
  settings.device_packet_bytes = options.device_packets;
  if (!options.device_order.empty()) settings.device_order = options.device_order;
  if (options.device) bench::Devices();  // before any rank waits for this one
  if (options.transport == "inproc") return run_inproc(options, settings);
  if (!options.transport.empty()) settings.transport = options.transport;
  Communicator communicator = Communicator::from_env(settings);
  return run_rank(communicator, options);
}

}  // namespace

int main(int count, char** values) {
  const std::span<const char* const> arguments(values + 1, static_cast<std::size_t>(count - 1));
  const rondo::Result<bench::Options> options = bench::parse_options(arguments);
  if (!options) {
    std::cerr << "rondo-perf: " << options.error().text() << "\n";
    return bench::exit_usage;
  }
  if (options.value().help) {
    std::cout << bench::help_text("rondo-perf");
    return 0;
  }
  try {
    return run(options.value());
  } catch (const std::exception& error) {
    std::cerr << "rondo-perf: " << error.what() << "\n";
    return exit_code_of(error);
  }
}
