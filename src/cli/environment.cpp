#include "bootstrap/environment.hpp"

#include <iostream>

#include "cli/arguments.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

int env_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << "usage: rondo env\n\nPrints the environment variables that rondo reads.\n";
    return success;
  }
  arguments.finish();
  std::cout << environment_text();
  return success;
}

}  // namespace rondo::cli
