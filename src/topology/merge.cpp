// From what each rank sees to the topology of the world.

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

using MachineOfHash = std::map<std::uint64_t, const Machine*>;

Error wrong(const std::string& text) {
  return Error(ErrorCode::invalid_argument, concat("topology of the world: ", text));
}

std::size_t count_pus(const Machine& machine) {
  std::size_t count = 0;
  for (const Core& core : machine.cores) count += core.pus.size();
  return count;
}

// Containers hide parts of a host: of two views of it, the one that shows more.
bool shows_more(const Machine& left, const Machine& right) {
  const auto worth = [](const Machine& machine) {
    return std::tuple(machine.devices_known, machine.cores_known, count_pus(machine),
                      machine.gpus.size() + machine.nics.size(), machine.matrices.size());
  };
  return worth(left) != worth(right) ? worth(left) > worth(right) : left < right;
}

Result<> check_views(std::span<const RankView> views, const MachineOfHash& machines) {
  std::vector<bool> seen(views.size(), false);
  for (const RankView& view : views) {
    const auto rank = static_cast<std::size_t>(view.rank);
    if (rank >= views.size()) {
      return wrong(concat("there are ", views.size(), " views, but one is of rank ", view.rank));
    }
    if (seen[rank]) return wrong(concat("rank ", view.rank, " appears twice"));
    seen[rank] = true;
    const auto machine = machines.find(view.machine);
    if (machine == machines.end()) {
      return wrong(concat("nobody sent the machine of rank ", view.rank, " (hash ", std::hex,
                          view.machine, ")"));
    }
    const std::size_t gpus = machine->second->gpus.size();
    if (view.gpu != unknown && static_cast<std::size_t>(view.gpu) >= gpus) {
      return wrong(concat("rank ", view.rank, " works with GPU ", view.gpu, ", but sees ", gpus));
    }
    if (!view.gpu_uuids.empty() && view.gpu_uuids.size() != gpus) {
      return wrong(concat("rank ", view.rank, " sends ", view.gpu_uuids.size(), " uuids for ", gpus,
                          " GPUs"));
    }
  }
  return {};
}

std::string uuid_of(std::span<const std::string> uuids, std::size_t gpu) {
  return gpu < uuids.size() && uuids[gpu] != "-" ? uuids[gpu] : "";
}

// A GPU of one view of a host in another view of it: by UUID, else by PCI address.
int same_gpu(const RankView& view, const Machine& seen, const Host& host, const Machine& machine) {
  if (view.gpu == unknown || seen == machine) return view.gpu;
  const auto index = static_cast<std::size_t>(view.gpu);
  const std::string uuid = uuid_of(view.gpu_uuids, index);
  for (std::size_t i = 0; i < machine.gpus.size(); ++i) {
    const std::string other = uuid_of(host.gpu_uuids, i);
    const bool both = !uuid.empty() && !other.empty();
    const bool same_address =
        !seen.gpus[index].pci.empty() && seen.gpus[index].pci == machine.gpus[i].pci;
    if (both ? uuid == other : same_address) return static_cast<int>(i);
  }
  return unknown;
}

Rank rank_of(const RankView& view, const Machine& seen, const Host& host, const Machine& machine) {
  Rank rank;
  rank.gpu = same_gpu(view, seen, host, machine);
  for (const int pu : view.pus) {
    const bool there = std::any_of(
        machine.cores.begin(), machine.cores.end(),
        [&](const Core& core) { return std::binary_search(core.pus.begin(), core.pus.end(), pu); });
    if (there) rank.pus.push_back(pu);
  }
  return rank;
}

class Merger {
 public:
  Merger(std::vector<const RankView*> views, const MachineOfHash& machines)
      : views_(std::move(views)), machine_of_(machines) {
    for (const auto& [hash, machine] : machine_of_) {
      number_of_[machine] = static_cast<int>(topology_.machines.size());
      topology_.machines.push_back(*machine);
    }
  }

  Topology merge() {
    std::map<std::string, std::vector<const RankView*>> hosts;
    for (const RankView* view : views_) {
      // A rank that cannot say where it is may be anywhere: it gets a host of its own.
      const bool known = !view->host.empty();
      hosts[known ? view->host : concat("? of rank ", view->rank)].push_back(view);
    }
    topology_.ranks.resize(views_.size());
    for (const auto& [id, members] : hosts) add_host(members);
    return canonical(std::move(topology_));
  }

 private:
  void add_host(const std::vector<const RankView*>& members) {
    const RankView* best = members.front();
    for (const RankView* view : members) {
      const Machine& machine = *machine_of_.at(view->machine);
      const Machine& so_far = *machine_of_.at(best->machine);
      const bool more = machine != so_far && shows_more(machine, so_far);
      const bool names = machine == so_far && best->gpu_uuids.empty();
      if (more || names) best = view;
    }
    const Machine* machine = machine_of_.at(best->machine);
    const Host host{best->host, number_of_.at(machine), {}, best->gpu_uuids};
    for (const RankView* view : members) {
      Rank rank = rank_of(*view, *machine_of_.at(view->machine), host, *machine);
      rank.host = static_cast<int>(topology_.hosts.size());
      topology_.ranks[static_cast<std::size_t>(view->rank)] = std::move(rank);
    }
    topology_.hosts.push_back(host);
  }

  std::vector<const RankView*> views_;
  const MachineOfHash& machine_of_;
  std::map<const Machine*, int> number_of_;
  Topology topology_;
};

}  // namespace

Result<Topology> merge(std::span<const RankView> views, std::span<const Machine> machines) {
  MachineOfHash machine_of;
  for (std::size_t i = 0; i < machines.size(); ++i) {
    if (Result<> sound = check_references(machines[i]); !sound) {
      return wrong(concat("machine ", i, ": ", sound.error().text()));
    }
    machine_of[hash(machines[i])] = &machines[i];
  }
  if (Result<> sound = check_views(views, machine_of); !sound) return sound.error();
  std::vector<const RankView*> in_order(views.size());
  for (const RankView& view : views) in_order[static_cast<std::size_t>(view.rank)] = &view;
  return Merger(std::move(in_order), machine_of).merge();
}

}  // namespace rondo
