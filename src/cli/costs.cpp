#include "cli/costs.hpp"

#include <array>
#include <thread>

#include "api/measure_links.hpp"
#include "api/state.hpp"
#include "api/value_or_throw.hpp"
#include "api/world_topology.hpp"
#include "transport/inproc.hpp"
#include "transport/route/make.hpp"
#include "transport/shm/door.hpp"

namespace rondo::cli {

namespace {

constexpr const char* loopback = "127.0.0.1";
constexpr std::chrono::seconds patience(10);
constexpr std::chrono::milliseconds budget(500);  // nobody waits for it but a person

using Transports = std::array<std::unique_ptr<Transport>, 2>;

// The members of a world that needs no rendezvous: one process knows both.
std::array<process::Membership, 2> loopback_members(std::string_view transport) {
  std::array<process::Membership, 2> members;
  for (int rank = 0; rank < 2; ++rank) {
    process::Membership& own = members[static_cast<std::size_t>(rank)];
    own.rank = rank;
    own.listener = value_or_throw(process::listen_on(loopback, 0));
    const process::Address address = value_or_throw(process::local_address(own.listener));
    process::Door door = value_or_throw(process::open_door());
    own.door = std::move(door.listener);
    own.medium = transport == "shm" ? process::Medium::shm : process::Medium::tcp;
    for (process::Membership& each : members) {
      each.members.push_back(
          {address.host, address.port, "this host", rank, process::locality(), door.id});
    }
  }
  return members;
}

// Calls `task` with 0 and 1 at the same time; throws what it threw.
template <class Task>
void on_two_threads(Task task) {
  std::array<std::exception_ptr, 2> failures;
  const auto guarded = [&](std::size_t rank) {
    try {
      task(rank);
    } catch (...) {
      failures[rank] = std::current_exception();
    }
  };
  std::thread other(guarded, 1);
  guarded(0);
  other.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

Transports make_pair(std::string_view transport) {
  Transports pair;
  if (transport == "inproc") {
    std::vector<std::unique_ptr<Transport>> both = make_inproc(2);
    std::move(both.begin(), both.end(), pair.begin());
    return pair;
  }
  std::array<process::Membership, 2> members = loopback_members(transport);
  const auto deadline = Transport::Clock::now() + patience;
  on_two_threads([&](std::size_t rank) {
    pair[rank] = value_or_throw(process::make_transport(std::move(members[rank]), deadline));
  });
  return pair;
}

}  // namespace

CostTable measure_here(std::string_view transport) {
  Transports pair = make_pair(transport);
  const bool may_spin = has_core_per_rank(2);
  const Topology topology = local_topology(2);
  const std::array<int, 1> alone = {0};
  CostTable table =
      measure_rank(value_or_throw(pair[0]->split(alone, world_context + 1)), may_spin);
  const CostTable rank = table;
  on_two_threads([&](std::size_t index) {
    const FittedCosts found =
        value_or_throw(measure_link(std::move(pair[index]), may_spin, topology, rank, budget));
    if (index != 0) return;
    table.links[static_cast<std::size_t>(path_class(topology, 0, 1))] = found.link;
    table.switch_s = found.switch_s;
  });
  return table;
}

}  // namespace rondo::cli
