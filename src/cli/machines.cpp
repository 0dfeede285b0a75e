#include "cli/machines.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"
#include "cli/amounts.hpp"

namespace rondo::cli {

namespace {

constexpr double us = 1e-6;
constexpr double per_gb = 1e-9;  // seconds a byte at 1 GB/s

// TCP over loopback: all time is the processor's. Fitted to rondo between two processes on an EPYC
// virtual machine, allreduce of 4 B and 64 MiB.
constexpr LinkCost loopback{.latency_s = 0.5 * us,
                            .overhead_s = 0.75 * us,
                            .overhead_byte_s = per_gb / 14,
                            .window_bytes = 1 << 20};

// Payload of 1500-byte frames less the headers of Ethernet, IP and TCP: 94 % of the bit rate.
constexpr LinkCost ethernet(double gbit_per_s, double latency_us) {
  return {.latency_s = latency_us * us,
          .overhead_s = 2 * us,
          .byte_s = per_gb / (gbit_per_s * 0.94 / 8),
          .overhead_byte_s = per_gb / 14,
          .window_bytes = 4 << 20};
}

constexpr TwoLevel on_processors(int ranks_per_host, LinkCost outer) {
  return {.ranks_per_host = ranks_per_host,
          .ports_per_host = 1,
          .inner = loopback,
          .outer = outer,
          .reduce_byte_s = per_gb / 20,
          .copy_byte_s = per_gb / 14};
}

// A message between two ranks takes what NCCL's model gives its Simple protocol, 3.4 and 14 µs; the
// wires are near their nominal rates.
constexpr TwoLevel nvlink = {.ranks_per_host = 8,
                             .inner = {.latency_s = 2.4 * us,
                                       .overhead_s = 0.5 * us,
                                       .byte_s = per_gb / 360,
                                       .window_bytes = 4 << 20},
                             .outer = {.latency_s = 12 * us,
                                       .overhead_s = 1 * us,
                                       .byte_s = per_gb / 48,
                                       .window_bytes = 4 << 20},
                             .start_s = 8.4 * us,
                             .reduce_byte_s = per_gb / 1500,
                             .copy_byte_s = per_gb / 1500};

struct Preset {
  std::string_view name;
  std::string_view help;
  TwoLevel hosts;
};

constexpr std::array presets = {
    Preset{"loopback", "processes of one host, TCP", on_processors(everybody, loopback)},
    Preset{"10gbe", "10 Gbit/s Ethernet, TCP, one port a host", on_processors(1, ethernet(10, 20))},
    Preset{"25gbe", "25 Gbit/s Ethernet, TCP, one port a host", on_processors(1, ethernet(25, 15))},
    Preset{"100gbe", "100 Gbit/s Ethernet, TCP, one port a host",
           on_processors(1, ethernet(100, 10))},
    Preset{"nvlink", "hosts of 8 GPUs, NVLink inside, a 400 Gbit/s adapter per GPU", nvlink},
};

std::string names() {
  std::string text;
  for (const Preset& preset : presets) text += concat(text.empty() ? "" : ", ", preset.name);
  return text;
}

void take_cost(Arguments& arguments, const std::string& prefix, LinkCost& link) {
  const auto take = [&](const char* name) -> std::optional<double> {
    const std::string option = concat("--", prefix, name);
    const std::optional<std::string> text = arguments.value(option);
    if (!text) return std::nullopt;
    return parse_real(concat("option ", option), *text);
  };
  if (const auto latency = take("latency")) link.latency_s = *latency * us;
  if (const auto overhead = take("overhead")) link.overhead_s = *overhead * us;
  if (const auto bandwidth = take("bandwidth")) {
    if (*bandwidth == 0) throw UsageError(concat("option --", prefix, "bandwidth is above 0"));
    link.byte_s = per_gb / *bandwidth;
  }
}

void take_hosts(Arguments& arguments, TwoLevel& hosts) {
  hosts.ranks_per_host = arguments.number("--per-host", hosts.ranks_per_host, 1, everybody);
  hosts.ports_per_host = arguments.number("--ports", hosts.ports_per_host, 1, everybody);
}

}  // namespace

TwoLevel take_hosts(Arguments& arguments) {
  TwoLevel hosts{.ranks_per_host = everybody, .ports_per_host = 1};
  take_hosts(arguments, hosts);
  return hosts;
}

NamedMachine take_machine(Arguments& arguments) {
  const std::string name = arguments.value("--machine").value_or("loopback");
  const auto preset =
      std::find_if(presets.begin(), presets.end(), [&](const Preset& p) { return p.name == name; });
  if (preset == presets.end()) {
    throw UsageError(concat("there is no machine '", name, "'; known: ", names()));
  }
  NamedMachine machine{name, preset->hosts};
  take_cost(arguments, "inner-", machine.hosts.inner);
  // On one host the plain options are about its links too.
  const bool one_host = machine.hosts.ranks_per_host == everybody;
  take_cost(arguments, "", one_host ? machine.hosts.inner : machine.hosts.outer);
  take_hosts(arguments, machine.hosts);
  return machine;
}

std::string hosts_help(std::size_t column) {
  return padded("  --per-host K", column) +
         "ranks of a host, for two_level and chain_tree; without it all are on one\n" +
         padded("  --ports P", column) +
         "network ports of a host, for stripes of two_level; default 1\n";
}

std::string machine_help() {
  std::ostringstream out;
  out << "The machine, and changes to its constants:\n\n";
  for (const Preset& preset : presets) {
    out << "  --machine " << std::left << std::setw(12) << preset.name << preset.help << "\n";
  }
  out << "  --per-host N          ranks of a host; these are connected by the inner links\n"
         "  --ports N             network ports that the ranks of a host share\n"
         "  --latency US          of a message, in microseconds\n"
         "  --overhead US         of the processor at each end of a message\n"
         "  --bandwidth GB/S      of a link and direction, in 10^9 bytes a second\n"
         "  --inner-latency US, --inner-overhead US, --inner-bandwidth GB/S\n"
         "                        the same inside a host\n";
  return out.str();
}

}  // namespace rondo::cli
