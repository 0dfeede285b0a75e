#pragma once

// An environment made of a list, for functions that take a Lookup.

#include <map>
#include <string>

#include "bootstrap/world.hpp"

namespace rondo::test {

using Variables = std::map<std::string, std::string, std::less<>>;

inline Lookup lookup_in(Variables variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

}  // namespace rondo::test
