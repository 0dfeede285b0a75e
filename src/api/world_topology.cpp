#include "api/world_topology.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/cache_folder.hpp"
#include "base/text.hpp"
#include "topology/discover.hpp"

namespace rondo {

namespace {

// What comes before the texts.
struct Announcement {
  std::uint64_t machine = 0;  // hash
  std::uint64_t machine_bytes = 0;
  std::uint64_t view_bytes = 0;
};

Topology nothing_known() {
  Topology topology;
  topology.machines.resize(1);
  topology.hosts.resize(1);
  topology.ranks.resize(1);
  return topology;
}

bool is_own(const Topology& topology) {
  return topology.ranks.size() == 1 && topology.hosts.size() == 1 && topology.machines.size() == 1;
}

// A file that somebody broke is written anew.
Topology look() {
  const std::string fingerprint = discovery_fingerprint();
  const std::string name = concat("machine-", fingerprint);
  if (!fingerprint.empty()) {
    if (const std::optional<std::string> text = read_cached(name)) {
      Result<Topology> known = parse_topology(*text);
      if (known && is_own(known.value())) return std::move(known).value();
    }
  }
  Result<Topology> seen = discover_topology();
  if (!seen) return nothing_known();
  if (!fingerprint.empty()) write_cached(name, to_text(seen.value()));
  return std::move(seen).value();
}

template <class Value>
std::span<const std::byte> bytes_of(const Value& value) {
  return std::as_bytes(std::span(&value, 1));
}

Result<std::vector<RankView>> gather_views(Exchange& exchange, std::string text,
                                           const std::vector<Announcement>& announced) {
  std::size_t longest = 0;
  for (const Announcement& one : announced) {
    longest = std::max<std::size_t>(longest, one.view_bytes);
  }
  text.resize(longest);
  const auto texts = gather<char>(exchange, text);
  if (!texts) return texts.error();
  std::vector<RankView> views;
  for (std::size_t rank = 0; rank < announced.size(); ++rank) {
    const std::string_view whole(texts.value().data() + rank * longest, longest);
    Result<RankView> view = parse_view(whole.substr(0, announced[rank].view_bytes));
    if (!view) return view.error().with_prefix(concat("from rank ", rank, ": "));
    views.push_back(std::move(view).value());
  }
  return views;
}

// Each machine comes from the lowest rank that has it.
Result<std::vector<Machine>> gather_machines(Exchange& exchange, const std::string& own,
                                             const std::vector<Announcement>& announced) {
  std::map<std::uint64_t, int> owners;
  for (std::size_t rank = 0; rank < announced.size(); ++rank) {
    owners.try_emplace(announced[rank].machine, static_cast<int>(rank));
  }
  std::vector<Machine> machines;
  for (const auto& [hash, owner] : owners) {
    std::string text = own;
    text.resize(announced[static_cast<std::size_t>(owner)].machine_bytes);
    const Result<> done = exchange.broadcast(std::as_writable_bytes(std::span(text)), owner);
    if (!done) return done.error();
    Result<Machine> machine = parse_machine(text);
    if (!machine) return machine.error().with_prefix(concat("from rank ", owner, ": "));
    machines.push_back(std::move(machine).value());
  }
  return machines;
}

RankView view_of(const Topology& own, int rank) {
  RankView view;
  view.rank = rank;
  view.host = own.hosts.at(0).id;
  view.machine = hash(own.machines.at(0));
  view.pus = own.ranks.at(0).pus;
  view.gpu = own.ranks.at(0).gpu;
  view.gpu_uuids = own.hosts.at(0).gpu_uuids;
  return view;
}

}  // namespace

Topology own_topology() {
  static const Topology seen = look();
  return with_present_binding(seen);
}

Topology local_topology(int ranks) {
  Topology topology = own_topology();
  topology.ranks.resize(static_cast<std::size_t>(ranks), topology.ranks.front());
  return topology;
}

Result<Topology> share_topology(Exchange& exchange, const Topology& own) {
  const RankView view = view_of(own, exchange.rank());
  const std::string text = to_text(view);
  const std::string machine = to_text(own.machines.at(0));
  const Announcement mine{view.machine, machine.size(), text.size()};
  const auto announced = gather<Announcement>(exchange, std::span(&mine, 1));
  if (!announced) return announced.error();
  const auto views = gather_views(exchange, text, announced.value());
  if (!views) return views.error();
  const auto machines = gather_machines(exchange, machine, announced.value());
  if (!machines) return machines.error();
  Result<Topology> topology = merge(views.value(), machines.value());
  if (!topology) return topology.error();
  if (Result<> agreed = agree_on_topology(exchange, topology.value()); !agreed) {
    return agreed.error();
  }
  return topology;
}

Result<> agree_on_topology(Exchange& exchange, const Topology& topology) {
  const std::uint64_t mine = hash(topology);
  const auto hashes = gather<std::uint64_t>(exchange, std::span(&mine, 1));
  if (!hashes) return hashes.error();
  std::vector<int> others;
  for (std::size_t rank = 0; rank < hashes.value().size(); ++rank) {
    if (hashes.value()[rank] != hashes.value()[0]) others.push_back(static_cast<int>(rank));
  }
  if (others.empty()) return {};
  return Error(ErrorCode::mismatch, others.size() == 1 ? others[0] : -1,
               concat(list_ranks(others), others.size() == 1 ? " has" : " have",
                      " another topology of the world than rank 0; do all ranks run the same "
                      "version of rondo?"));
}

}  // namespace rondo
