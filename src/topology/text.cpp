// Topologies as text: one line for each core, device, host and rank. README.md beside this file
// describes the format.

#include "topology/text.hpp"

#include <array>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"

namespace rondo {

namespace {

constexpr std::array<std::string_view, object_kind_count> object_names = {"pu",      "core", "numa",
                                                                          "package", "gpu",  "nic"};
constexpr std::array<std::string_view, network_kind_count> network_names = {
    "unknown", "flat", "fat_tree", "dragonfly", "rail_optimised"};

std::string joined(std::span<const std::string> words, char separator) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += separator;
    text += word;
  }
  return text.empty() ? "?" : text;
}

std::string word_or_unknown(const std::string& word) {
  return word.empty() ? "?" : word;
}

std::string rate(std::uint32_t value) {
  return value == 0 ? "?" : concat(value);
}

void write(std::ostream& out, const char* kind, std::size_t index, const Device& device) {
  out << kind << " " << index << " names " << joined(device.names, ',') << " model "
      << word_or_unknown(device.model) << " pci " << word_or_unknown(device.pci) << " via "
      << joined(device.via, '/') << " package " << number_or_unknown(device.package) << " numa "
      << number_or_unknown(device.numa) << " pci_mbytes_per_s " << rate(device.pci_mbytes_per_s)
      << " speed_mbits_per_s " << rate(device.speed_mbits_per_s) << "\n";
}

void write(std::ostream& out, const Matrix& matrix) {
  out << "matrix " << matrix.name << (matrix.bandwidth ? " bandwidth" : " latency");
  for (const Object& object : matrix.objects) out << " " << to_text(object);
  out << "\n";
  const std::size_t size = matrix.objects.size();
  for (std::size_t i = 0; i < matrix.values.size(); ++i) {
    out << (i % size == 0 ? "  " : " ") << matrix.values[i] << (i % size == size - 1 ? "\n" : "");
  }
}

void write(std::ostream& out, std::size_t index, const Machine& machine) {
  out << "machine " << index << " cores " << (machine.cores_known ? "known" : "unknown")
      << " devices " << (machine.devices_known ? "known" : "hidden") << "\n";
  for (std::size_t i = 0; i < machine.cores.size(); ++i) {
    const Core& core = machine.cores[i];
    out << "core " << i << " package " << number_or_unknown(core.package) << " numa "
        << number_or_unknown(core.numa) << " l3 " << number_or_unknown(core.l3) << " l2 "
        << number_or_unknown(core.l2) << " pus " << ranges(core.pus) << "\n";
  }
  for (std::size_t i = 0; i < machine.gpus.size(); ++i) write(out, "gpu", i, machine.gpus[i]);
  for (std::size_t i = 0; i < machine.nics.size(); ++i) write(out, "nic", i, machine.nics[i]);
  for (const Matrix& matrix : machine.matrices) write(out, matrix);
}

void write(std::ostream& out, std::size_t index, const Host& host) {
  out << "host " << index << " id " << word_or_unknown(host.id) << " machine " << host.machine;
  out << " groups ";
  for (std::size_t i = 0; i < host.groups.size(); ++i) out << (i > 0 ? "/" : "") << host.groups[i];
  out << (host.groups.empty() ? "?" : "") << " uuids " << joined(host.gpu_uuids, ',') << "\n";
}

}  // namespace

std::string_view name(ObjectKind kind) {
  return object_names[static_cast<std::size_t>(kind)];
}
std::string_view name(NetworkKind kind) {
  return network_names[static_cast<std::size_t>(kind)];
}

std::string as_word(std::string_view text) {
  std::string word;
  for (const char c : text) {
    const bool separates = c == '#' || c == ',' || c == '/';
    const bool printable = c > ' ' && c < 127 && !separates;
    word += printable ? c : '_';
  }
  return word == "?" ? "" : word;
}

std::string ranges(std::span<const int> numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ",";
    text += concat(numbers[i]);
    if (last > i) text += concat("-", numbers[last]);
    i = last + 1;
  }
  return text.empty() ? "?" : text;
}

std::string number_or_unknown(int number) {
  return number == unknown ? "?" : concat(number);
}

std::string to_text(const Object& object) {
  return concat(name(object.kind), ":", object.index);
}

std::string to_text(const Machine& machine) {
  std::ostringstream out;
  out << "rondo machine 1\n";
  write(out, 0, machine);
  return out.str();
}

std::string to_text(const Topology& topology) {
  std::ostringstream out;
  out << "rondo topology 1\nnetwork " << name(topology.network.kind);
  for (const NetworkLevel& level : topology.network.levels) {
    out << " " << level.name << " uplink " << level.uplink_percent << "%";
  }
  out << "\n";
  for (std::size_t i = 0; i < topology.machines.size(); ++i) write(out, i, topology.machines[i]);
  for (std::size_t i = 0; i < topology.hosts.size(); ++i) write(out, i, topology.hosts[i]);
  for (std::size_t i = 0; i < topology.ranks.size(); ++i) {
    const Rank& rank = topology.ranks[i];
    out << "rank " << i << " host " << rank.host << " pus " << ranges(rank.pus) << " gpu "
        << number_or_unknown(rank.gpu) << "\n";
  }
  return out.str();
}

std::string to_text(const RankView& view) {
  std::ostringstream out;
  out << "view rank " << view.rank << " host " << word_or_unknown(view.host) << " machine "
      << std::hex << std::setfill('0') << std::setw(16) << view.machine << std::dec << " pus "
      << ranges(view.pus) << " gpu " << number_or_unknown(view.gpu) << " uuids "
      << joined(view.gpu_uuids, ',') << "\n";
  return out.str();
}

}  // namespace rondo
