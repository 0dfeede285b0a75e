#pragma once

// Rings on the machines that they go through.

#include <string>

#include "rondo/schedule.hpp"
#include "rondo/topology.hpp"

namespace rondo {

/// The ranks in the order of the ring, a line for each package it goes through, with the class of
/// the path on each edge; then how often it crosses from one part to another, and the classes.
std::string draw_ring_text(const Topology& topology, const Arrangement& arrangement);

/// The same as SVG: hosts and packages as boxes, ranks as dots, paths as curves coloured by class.
std::string draw_ring_svg(const Topology& topology, const Arrangement& arrangement);

}  // namespace rondo
