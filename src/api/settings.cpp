// From options to settings: values are checked, files are read.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "api/state.hpp"
#include "base/text.hpp"
#include "bootstrap/world.hpp"

namespace rondo {

namespace {

// The value that a file holds, or an Error that names the file and the option that chose it.
template <class Value>
Value read_file(const std::string& path, std::string_view option,
                Result<Value> (*parse)(std::string_view)) {
  const std::string prefix = concat(option, "=", path, ": ");
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) {
    throw Error(ErrorCode::io, concat(prefix, "cannot read the file: ", std::strerror(errno)));
  }
  Result<Value> value = parse(text.str());
  if (!value) throw value.error().with_prefix(prefix);
  return std::move(value).value();
}

}  // namespace

Settings Settings::from(const Options& options) {
  if (const Result<> checked = check_options(options); !checked) throw checked.error();
  Settings settings;
  settings.timeout = options.timeout.value_or(settings.timeout);
  settings.wishes.algorithm = options.algorithm.value_or(settings.wishes.algorithm);
  for (const auto& [collective, algorithm] : options.algorithms) {
    settings.wishes.algorithms[static_cast<std::size_t>(collective)] = algorithm;
  }
  settings.wishes.radix = options.radix;
  settings.wishes.tile_bytes = options.tile_bytes;
  if (options.topology) {
    settings.topology = std::make_shared<const Topology>(
        canonical(read_file(*options.topology, "RONDO_TOPOLOGY", parse_topology)));
  }
  if (options.costs) {
    settings.costs = read_file(*options.costs, "RONDO_COSTS", parse_cost_table);
    const auto& links = settings.costs->links;
    if (std::none_of(links.begin(), links.end(), [](const auto& link) { return !!link; })) {
      throw Error(ErrorCode::invalid_argument,
                  concat("RONDO_COSTS=", *options.costs, ": the file names no class of paths"));
    }
  }
  if (options.plan_file) {
    settings.wishes.rules = read_file(*options.plan_file, "RONDO_PLAN_FILE", parse_rules);
  }
  return settings;
}

}  // namespace rondo
