// From options to settings: values are checked, files are read.

#include "api/named_files.hpp"
#include "api/state.hpp"
#include "api/value_or_throw.hpp"
#include "bootstrap/world.hpp"

namespace rondo {

Settings Settings::from(const Options& options, int ranks) {
  if (const Result<> checked = check_options(options); !checked) throw checked.error();
  Settings settings;
  settings.timeout = options.timeout.value_or(settings.timeout);
  settings.wishes.algorithm = options.algorithm.value_or(settings.wishes.algorithm);
  for (const auto& [collective, algorithm] : options.algorithms) {
    settings.wishes.algorithms[static_cast<std::size_t>(collective)] = algorithm;
  }
  settings.progress = options.progress;
  settings.devices.order = parse_device_order(options.device_order.value_or("auto"));
  settings.devices.packet_bytes = options.device_packet_bytes.value_or(usual_packet_bytes);
  settings.wishes.radix = options.radix;
  settings.wishes.tile_bytes = options.tile_bytes;
  for (const NamedFile& file : named_files()) {
    const std::optional<std::string>& path = options.*file.path;
    if (path) value_or_throw(read_file(file, {*path, ranks}, settings));
  }
  return settings;
}

}  // namespace rondo
