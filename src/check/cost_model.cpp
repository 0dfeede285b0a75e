#include "check/cost_model.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/text.hpp"
#include "check/nic_ports.hpp"

namespace rondo {

namespace {

constexpr int inner_class = 0;
constexpr int outer_class = 1;
// As many as a plan can have.
constexpr int most_ranks = 1 << 20;

bool are_within(std::initializer_list<double> values, double most) {
  return std::all_of(values.begin(), values.end(), [most](double value) {
    return std::isfinite(value) && value >= 0 && value <= most;
  });
}

}  // namespace

double byte_s_at(const CostModel& model, int link_class, int port) {
  const double own = model.links[static_cast<std::size_t>(link_class)].byte_s;
  const auto index = static_cast<std::size_t>(port);
  return index < model.port_byte_s.size() ? std::max(own, model.port_byte_s[index]) : own;
}

double byte_s_between(const CostModel& model, int from, int to) {
  const int link_class = model.class_of(from, to);
  return std::max(byte_s_at(model, link_class, model.port_of(from, link_class)),
                  byte_s_at(model, link_class, model.port_of(to, link_class)));
}

std::vector<bool> sends_again(const Program& program, const CostModel& model) {
  const auto publishes = [](const LinkCost& link) { return link.published_bytes > 0; };
  if (std::none_of(model.links.begin(), model.links.end(), publishes)) return {};
  std::vector<bool> again(program.steps.size(), false);
  std::vector<bool> seen;  // by publication
  for (std::size_t i = 0; i < again.size(); ++i) {
    const Step& step = program.steps[i];
    const std::size_t number = step.publication();
    if (number == 0) continue;
    const int link_class = model.class_of(program.rank, step.peer);
    if (!publishes(model.links[static_cast<std::size_t>(link_class)])) continue;
    if (seen.size() <= number) seen.resize(number + 1, false);
    again[i] = seen[number];
    seen[number] = true;
  }
  return again;
}

bool make_sense(std::initializer_list<double> seconds) {
  return are_within(seconds, most_cost_seconds);
}

bool are_rates(std::initializer_list<double> byte_seconds) {
  return are_within(byte_seconds, most_byte_seconds);
}

bool makes_sense(const LinkCost& link) {
  return make_sense({link.latency_s, link.overhead_s}) &&
         are_rates({link.byte_s, link.overhead_byte_s});
}

namespace {

template <class Cost>
using ByClass = std::array<std::optional<Cost>, path_class_count>;

// Its own place, else that of the nearest class that is farther, else nearer.
template <class Cost>
std::size_t known_place(const ByClass<Cost>& costs, std::size_t path) {
  const auto is_known = [](const auto& cost) { return cost.has_value(); };
  const auto own = costs.begin() + static_cast<std::ptrdiff_t>(path);
  auto known = std::find_if(own, costs.end(), is_known);
  if (known == costs.end()) {
    const auto nearer = std::find_if(std::make_reverse_iterator(own), costs.rend(), is_known);
    known = nearer == costs.rend() ? own : nearer.base() - 1;
  }
  return static_cast<std::size_t>(known - costs.begin());
}

template <class Cost>
std::vector<Cost> complete(const ByClass<Cost>& costs) {
  std::vector<Cost> all;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    all.push_back(costs[known_place(costs, i)].value_or(Cost{}));
  }
  return all;
}

}  // namespace

PathClass known_class(const CostTable& costs, PathClass path) {
  return static_cast<PathClass>(known_place(costs.links, static_cast<std::size_t>(path)));
}

std::vector<LinkCost> complete_links(const CostTable& costs) {
  return complete(costs.links);
}

std::vector<DeviceCost> complete_devices(const CostTable& costs) {
  return complete(costs.devices);
}

double fastest_between_hosts(const std::vector<LinkCost>& links) {
  return std::min(links[static_cast<std::size_t>(PathClass::rack)].byte_s,
                  links[static_cast<std::size_t>(PathClass::network)].byte_s);
}

Result<CostModel> make_cost_model(const TwoLevel& hosts) {
  const auto refuse = [](std::string text) {
    return Error(ErrorCode::invalid_argument, std::move(text));
  };
  if (hosts.ranks < 1 || hosts.ranks > most_ranks) {
    return refuse(concat("a machine has 1 to ", most_ranks, " ranks, not ", hosts.ranks));
  }
  if (hosts.ranks_per_host < 1 || hosts.ports_per_host < 0) {
    return refuse(concat("a host has one rank or more and no negative number of ports, not ",
                         hosts.ranks_per_host, " ranks and ", hosts.ports_per_host, " ports"));
  }
  if (!makes_sense(hosts.inner) || !makes_sense(hosts.outer) || !make_sense({hosts.start_s}) ||
      !are_rates({hosts.reduce_byte_s, hosts.copy_byte_s})) {
    return refuse(concat("each cost of a machine is from 0 to ", most_cost_seconds,
                         " s, and of a byte to ", most_byte_seconds, " s"));
  }
  const int group = hosts.ranks_per_host;
  const int ports = hosts.ports_per_host == 0 ? group : hosts.ports_per_host;
  CostModel model;
  model.ranks = hosts.ranks;
  model.links = {hosts.inner, hosts.outer};
  model.class_of = [group](int from, int to) {
    return from / group == to / group ? inner_class : outer_class;
  };
  // One for each rank inside its host, then those to the network.
  model.port_of = [group, ports, ranks = hosts.ranks](int rank, int link_class) {
    if (link_class == inner_class) return rank;
    return ranks + rank / group * ports + port_of_member(rank % group, group, ports);
  };
  model.start_s = hosts.start_s;
  model.reduce_byte_s = hosts.reduce_byte_s;
  model.copy_byte_s = hosts.copy_byte_s;
  const bool one_host = hosts.ranks <= group;
  if (one_host) model.period = 1;
  if (!one_host && hosts.ranks % group == 0) model.period = group;
  return model;
}

}  // namespace rondo
