// From options to settings: values are checked, files are read.

#include "api/state.hpp"
#include "api/text_file.hpp"
#include "base/text.hpp"
#include "bootstrap/world.hpp"
#include "plan/default_costs.hpp"

namespace rondo {

namespace {

// The value that a file holds, or an Error that names the file and the option that chose it.
template <class Value>
Value read_file(const std::string& path, std::string_view option, std::string_view writer,
                Result<Value> (*parse)(std::string_view)) {
  const std::string prefix = concat(option, "=", path, ": ");
  const Result<std::string> text = read_text_file(path);
  if (!text) {
    throw Error(ErrorCode::io, concat(prefix, "cannot read the file: ", text.error().text(), "; '",
                                      writer, "' writes one"));
  }
  Result<Value> value = parse(text.value());
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
    settings.topology = std::make_shared<const Topology>(canonical(
        read_file(*options.topology, "RONDO_TOPOLOGY", "rondo topo --text", parse_topology)));
  }
  if (options.costs) {
    settings.costs =
        read_file(*options.costs, "RONDO_COSTS", "rondo topo --costs", parse_cost_table);
    settings.costs_file = *options.costs;
    if (!has_links(*settings.costs)) {
      throw Error(ErrorCode::invalid_argument,
                  concat("RONDO_COSTS=", *options.costs, ": the file names no class of paths"));
    }
  }
  if (options.plan_file) {
    settings.wishes.rules =
        read_file(*options.plan_file, "RONDO_PLAN_FILE", "rondo tune --save", parse_rules);
  }
  return settings;
}

}  // namespace rondo
