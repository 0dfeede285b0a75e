// The conformance kit over a fabric, everywhere and between hosts; the argument says which.

#include <numeric>
#include <stdexcept>
#include <string_view>

#include "harness/threads_fabric.hpp"
#include "transport/conformance.hpp"
#include "transport/process_world.hpp"
#include "transport/route/make.hpp"

namespace {

using rondo::Transport;
using rondo::process::Medium;
using rondo::process::Membership;
using rondo::testing::ThreadsFabric;
using Transports = std::vector<std::unique_ptr<Transport>>;

// Between hosts: ranks of odd and of even number share memory, and each other's not.
std::unique_ptr<Transport> make_rank(Membership membership, bool is_between_hosts) {
  const int ranks = static_cast<int>(membership.members.size());
  const auto deadline = Transport::Clock::now() + rondo::process::patience;
  auto world = rondo::process::make_transport(std::move(membership), deadline);
  if (!world) throw std::runtime_error(world.error().text());
  if (!is_between_hosts) return std::move(world).value();
  std::vector<int> everybody(static_cast<std::size_t>(ranks));
  std::iota(everybody.begin(), everybody.end(), 0);
  auto remade = rondo::process::remake(*world.value(), everybody, 2, true);
  if (!remade) throw std::runtime_error(remade.error().text());
  return std::move(remade).value();
}

Transports make_world(int ranks, bool is_between_hosts) {
  const Medium medium = is_between_hosts ? Medium::automatic : Medium::fabric;
  std::vector<Membership> all = rondo::process::memberships(ranks, medium);
  const auto table = std::make_shared<ThreadsFabric::Table>();
  for (int rank = 0; rank < ranks; ++rank) {
    Membership& own = all[static_cast<std::size_t>(rank)];
    own.fabric = std::make_shared<ThreadsFabric>(table, rank);
    for (std::size_t other = 1; other < own.members.size() && is_between_hosts; other += 2) {
      own.members[other].locality ^= 1;
    }
  }
  Transports world(static_cast<std::size_t>(ranks));
  rondo::process::on_all_ranks(ranks, [&](int rank) {
    const auto index = static_cast<std::size_t>(rank);
    world[index] = make_rank(std::move(all[index]), is_between_hosts);
  });
  const std::string_view name = !is_between_hosts ? "threads" : ranks > 2 ? "shm+threads" : "";
  for (const auto& transport : world) {
    if (!name.empty() && transport->name() != name) throw std::runtime_error("another transport");
  }
  return world;
}

}  // namespace

int main(int argc, char** argv) {
  const bool is_between_hosts = argc > 1 && std::string_view(argv[1]) == "between-hosts";
  return rondo::conformance::run_tests(
      argc, argv, "fabric", [=](int ranks) { return make_world(ranks, is_between_hosts); });
}
