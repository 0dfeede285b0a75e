#pragma once

// What the makers of cost models have in common.

#include <initializer_list>
#include <vector>

#include "rondo/simulate.hpp"

namespace rondo {

/// Longer than any message or call takes; keeps all times within 64 bits of picoseconds.
inline constexpr double most_cost_seconds = 1000;

/// Of any rate: a kilobyte a second. The planner asks for times of gibibytes.
inline constexpr double most_byte_seconds = 1e-3;

/// Seconds a byte of a class of links at a port.
double byte_s_at(const CostModel& model, int link_class, int port);
/// Of a message between two ranks.
double byte_s_between(const CostModel& model, int from, int to);

/// By step: an earlier send of the program is in the same publication, and both go over links that
/// publish messages, if they are short enough. Empty where no link does.
std::vector<bool> sends_again(const Program& program, const CostModel& model);

bool make_sense(std::initializer_list<double> seconds);
bool are_rates(std::initializer_list<double> byte_seconds);
bool makes_sense(const LinkCost& link);

/// Of what class the costs stand for this one: its own where the table has them, else those of the
/// nearest class that is farther, else nearer. Itself where the table is empty.
PathClass known_class(const CostTable& costs, PathClass path);
/// A cost for each class. The table is not empty.
std::vector<LinkCost> complete_links(const CostTable& costs);
/// The same of devices. The table has costs of some.
std::vector<DeviceCost> complete_devices(const CostTable& costs);
/// Seconds a byte of the fastest of the classes between hosts; `links` is complete.
double fastest_between_hosts(const std::vector<LinkCost>& links);

}  // namespace rondo
