#include "bootstrap/environment.hpp"

#include <iostream>

#include "base/text.hpp"
#include "cli/arguments.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

int env_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << "usage: rondo env [--json]\n\nPrints the environment variables that rondo reads.\n"
                 "\n"
                 "Where a rank cannot use the file of RONDO_TOPOLOGY, RONDO_COSTS or "
                 "RONDO_PLAN_FILE, it\n"
                 "says why on standard error and all ranks do without. Other bad values end the "
                 "program.\n";
    return success;
  }
  const bool json = arguments.flag("--json");
  arguments.finish();
  const auto variable_json = [](const Variable& variable) {
    return concat("{\"name\":", json_text(variable.name),
                  ",\"meaning\":", json_text(variable.meaning), "}");
  };
  std::cout << (json ? json_list(environment_variables(), variable_json) + "\n"
                     : environment_text());
  return success;
}

}  // namespace rondo::cli
