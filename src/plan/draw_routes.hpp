#pragma once

// Rings and trees on the machines that they go through.

#include <string>

#include "plan/routes.hpp"

namespace rondo {

/// Ring: the ranks in its order, a line for each package it goes through, with the class of the
/// path on each hop. Tree: lines of ranks that pass on to each other inside a package; each begins
/// with the rank that it hangs from. Then how often parts of the world are left, and the classes.
std::string draw_routes_text(const RouteMap& map);

/// The same as SVG: hosts and packages as boxes, ranks as dots, paths as curves coloured by class.
std::string draw_routes_svg(const RouteMap& map);

/// The same for programs.
std::string routes_json(const RouteMap& map);

}  // namespace rondo
