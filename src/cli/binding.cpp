#include "cli/binding.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <tuple>

#include "base/text.hpp"

namespace rondo::cli {

namespace {

int read_number(const std::string& path, int otherwise) {
  std::ifstream file(path);
  int number = otherwise;
  return file >> number ? number : otherwise;
}

}  // namespace

std::vector<CpuPlace> usable_cpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return {};
  std::vector<CpuPlace> places;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &mask)) continue;
    const std::string topology = concat("/sys/devices/system/cpu/cpu", cpu, "/topology/");
    places.push_back({cpu, read_number(topology + "physical_package_id", 0),
                      read_number(topology + "core_id", cpu)});
  }
  return places;
}

std::vector<cpu_set_t> divide_cpus(std::vector<CpuPlace> places, int ranks) {
  std::sort(places.begin(), places.end(), [](const CpuPlace& left, const CpuPlace& right) {
    return std::tie(left.package, left.core, left.cpu) <
           std::tie(right.package, right.core, right.cpu);
  });
  std::vector<std::vector<int>> units;  // cores, or CPUs when there are too few cores
  for (std::size_t i = 0; i < places.size(); ++i) {
    const bool same_core =
        i > 0 && places[i].package == places[i - 1].package && places[i].core == places[i - 1].core;
    if (!same_core) units.emplace_back();
    units.back().push_back(places[i].cpu);
  }
  const auto count = static_cast<std::size_t>(ranks);
  if (units.size() < count) {
    units.clear();
    for (const CpuPlace& place : places) units.push_back({place.cpu});
  }
  if (units.size() < count) return {};
  std::vector<cpu_set_t> shares(count);
  for (std::size_t rank = 0; rank < count; ++rank) {
    CPU_ZERO(&shares[rank]);
    const std::size_t end = (rank + 1) * units.size() / count;
    for (std::size_t unit = rank * units.size() / count; unit < end; ++unit) {
      for (const int cpu : units[unit]) CPU_SET(cpu, &shares[rank]);
    }
  }
  return shares;
}

}  // namespace rondo::cli
