#include "bench/json.hpp"

#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"

namespace rondo::bench {

namespace {

/// JSON has no infinity: a distance that is none becomes null.
std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  std::ostringstream out;
  out << std::setprecision(9) << value;
  return out.str();
}

template <class T>
std::string names(const std::vector<T>& values) {
  std::string list;
  for (const T value : values) {
    list += concat(list.empty() ? "" : ", ", "\"", name(value), "\"");
  }
  return "[" + list + "]";
}

std::string config(const Report& report, const Options& options) {
  const std::string root = options.all_roots ? "\"all\"" : std::to_string(options.root);
  const std::string_view algorithm = name(options.algorithm.value_or(Algorithm::automatic));
  return concat(
      "{\n    \"library\": ", json_text(report.library), ",\n    \"collective\": \"",
      name_of(options.collective), "\",\n    \"ranks\": ", report.ranks.size(),
      ",\n    \"min_bytes\": ", options.min_bytes, ", \"max_bytes\": ", options.max_bytes,
      ", \"step_factor\": ", options.step_bytes == 0 ? options.step_factor : 0,
      ", \"step_bytes\": ", options.step_bytes, ",\n    \"iterations\": ", options.iterations,
      ", \"warmup\": ", options.warmup, ", \"blocking\": ", options.blocking ? "true" : "false",
      ", \"average\": ", static_cast<int>(options.over),
      ",\n    \"check\": ", static_cast<int>(options.check),
      ", \"datatypes\": ", names(options.dtypes), ", \"ops\": ", names(options.ops),
      ", \"root\": ", root, ",\n    \"local_register\": ", static_cast<int>(options.reading),
      ", \"device\": ", options.device ? "true" : "false",
      ", \"cudagraph\": ", options.graph ? "true" : "false",
      ",\n    \"transport\": ", json_text(options.transport), ", \"algorithm\": \"", algorithm,
      "\", \"device_order\": ", json_text(options.device_order),
      ", \"tile_bytes\": ", options.tile_bytes.value_or(0), "\n  }");
}

std::string side(const std::optional<Side>& side) {
  if (!side) return "null";
  const Timing& timing = side->timing;
  std::string text = concat(
      "{\"time_us\": ", number(timing.time_us), ", \"median_us\": ", number(timing.median_us),
      ", \"p99_us\": ", number(timing.p99_us), ", \"iterations\": ", timing.iterations,
      ", \"alg_bw\": ", number(side->algorithm_gbps), ", \"bus_bw\": ", number(side->bus_gbps));
  if (side->findings) {
    text += concat(", \"nwrong\": ", side->findings->wrong,
                   ", \"max_ulp\": ", number(side->findings->max_ulp));
  } else {
    text += ", \"nwrong\": null, \"max_ulp\": null";
  }
  return text + "}";
}

std::string result(const Line& line) {
  const Case& c = line.what;
  return concat("    {\"size\": ", c.bytes(), ", \"count\": ", c.count, ", \"type\": \"",
                name(c.dtype), "\", \"redop\": \"", c.reduces() ? name(c.op) : "none",
                "\", \"root\": ", c.has_root() ? c.root : -1,
                ",\n     \"out_of_place\": ", side(line.out_of_place),
                ",\n     \"in_place\": ", side(line.in_place), "}");
}

template <class T, class Format>
std::string list(const std::vector<T>& values, Format&& format) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "\n" : ",\n") + format(value);
  return "[" + text + "\n  ]";
}

}  // namespace

std::string to_json(const Report& report, const Options& options) {
  return concat(
      "{\n  \"config\": ", config(report, options), ",\n  \"ranks\": ",
      list(report.ranks, [](const std::string& rank) { return "    " + json_text(rank); }),
      ",\n  \"results\": ", list(report.lines, result),
      ",\n  \"out_of_bounds\": ", report.summary.wrong,
      ",\n  \"max_ulp\": ", number(report.summary.max_ulp),
      ",\n  \"average_bus_bandwidth\": ", number(report.summary.average_bus_gbps), "\n}\n");
}

}  // namespace rondo::bench
