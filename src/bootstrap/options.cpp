// Options: what the caller set, then the environment, then the defaults.

#include <array>
#include <limits>

#include "base/text.hpp"
#include "base/words.hpp"
#include "bootstrap/environment.hpp"
#include "bootstrap/world.hpp"
#include "plan/device_order.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds default_timeout{30'000};
constexpr milliseconds default_join_timeout{60'000};
constexpr std::int64_t timeout_most = std::numeric_limits<std::int32_t>::max();  // 24 days
constexpr std::int64_t tile_bytes_most = std::int64_t{1} << 40;
constexpr auto device_packet_bytes_most = static_cast<std::int64_t>(most_packet_bytes);
constexpr std::int64_t shared_bytes_least = std::int64_t{64} << 10;
constexpr std::int64_t shared_bytes_most = std::int64_t{1} << 40;
constexpr std::array<std::string_view, 4> names_of_transports = {"auto", "shm", "tcp", "mpi"};

/// An option that the caller set must obey the same limits as its variable.
template <class Number>
Result<> require_range(std::string_view option, Number value, std::int64_t least,
                       std::int64_t most) {
  const auto number = static_cast<std::int64_t>(value);
  if (number >= least && number <= most) return {};
  return malformed(option, concat(value), concat("a whole number from ", least, " to ", most));
}

Result<> read_timeout(const Lookup& lookup, std::string_view variable, milliseconds otherwise,
                      std::optional<milliseconds>& timeout) {
  if (timeout) return {};
  const auto number = integer_of(lookup, variable, 1, timeout_most);
  if (!number) return number.error();
  timeout = number.value() ? milliseconds(*number.value()) : otherwise;
  return {};
}

Result<> check_supported(std::string_view option, std::string_view value, Collective collective,
                         Algorithm algorithm) {
  if (algorithm == Algorithm::automatic || is_supported(algorithm, collective)) return {};
  return malformed(
      option, value,
      concat("an algorithm that ", name(collective), " has, one of ", algorithm_names(collective),
             "; there is no ", name(algorithm), " ", name(collective)));
}

/// "ring", "allreduce:ring,broadcast:knomial" or both: "ring,broadcast:knomial". What the caller
/// said takes the place of the whole variable.
Result<> read_algorithms(const Lookup& lookup, Options& options) {
  if (options.algorithm || !options.algorithms.empty()) return {};
  options.algorithm = Algorithm::automatic;
  const std::optional<std::string> text = text_of(lookup, "RONDO_ALGORITHM");
  if (!text) return {};
  const auto refuse = [&](std::string_view what) {
    return malformed("RONDO_ALGORITHM", *text, what);
  };
  for (const std::string_view part : split(*text, ',')) {
    const std::size_t colon = part.find(':');
    const bool single = colon != std::string_view::npos;
    const auto algorithm = parse_algorithm(single ? part.substr(colon + 1) : part);
    if (!algorithm) return refuse(concat("one of ", all_names<Algorithm>(algorithm_count)));
    if (!single) {
      options.algorithm = algorithm;
      continue;
    }
    const auto collective = parse_collective(part.substr(0, colon));
    if (!collective) {
      return refuse(concat("a collective before each ':', such as allreduce:ring; there are ",
                           all_names<Collective>(collective_count)));
    }
    if (Result<> can = check_supported("RONDO_ALGORITHM", *text, *collective, *algorithm); !can) {
      return can;
    }
    options.algorithms.emplace_back(*collective, *algorithm);
  }
  return {};
}

/// Without a word from anybody it stays open: the planner chooses.
Result<> read_radix(const Lookup& lookup, std::optional<int>& radix) {
  if (radix) return {};
  const auto number = integer_of(lookup, "RONDO_RADIX", 2, max_radix);
  if (!number) return number.error();
  if (number.value()) radix = static_cast<int>(*number.value());
  return {};
}

Result<> read_bytes(const Lookup& lookup, std::string_view variable, std::int64_t least,
                    std::int64_t most, std::optional<std::size_t>& bytes) {
  if (bytes) return {};
  const auto number = bytes_of(lookup, variable, least, most);
  if (!number) return number.error();
  if (number.value()) bytes = static_cast<std::size_t>(*number.value());
  return {};
}

using Words = std::span<const std::string_view>;

Result<> require_one_of(Words words, std::string_view source, const std::string& text) {
  std::string known;
  for (const std::string_view word : words) {
    if (text == word) return {};
    known += concat(known.empty() ? "" : ", ", word);
  }
  return malformed(source, text, known);
}

/// Without a word from anybody it is the first of them.
Result<> read_one_of(Words words, const Lookup& lookup, std::string_view variable,
                     std::optional<std::string>& text) {
  if (text) return {};
  text = text_of(lookup, variable).value_or(std::string(words[0]));
  return require_one_of(words, variable, *text);
}

}  // namespace

std::span<const std::string_view> transports() {
  return names_of_transports;
}

Result<> check_options(const Options& options) {
  Result<> checked;
  const auto require = [&](std::string_view option, const auto& value, std::int64_t least,
                           std::int64_t most) {
    if (checked && value) checked = require_range(option, *value, least, most);
  };
  const auto count = [](const std::optional<milliseconds>& timeout) {
    return timeout ? std::optional(timeout->count()) : std::nullopt;
  };
  require("Options::timeout", count(options.timeout), 1, timeout_most);
  require("Options::join_timeout", count(options.join_timeout), 1, timeout_most);
  require("Options::radix", options.radix, 2, max_radix);
  require("Options::tile_bytes", options.tile_bytes, 0, tile_bytes_most);
  require("Options::device_packet_bytes", options.device_packet_bytes, 0, device_packet_bytes_most);
  require("Options::shared_bytes", options.shared_bytes, shared_bytes_least, shared_bytes_most);
  for (const auto& [collective, algorithm] : options.algorithms) {
    if (!checked) break;
    checked = check_supported("Options::algorithms", concat(name(collective), ":", name(algorithm)),
                              collective, algorithm);
  }
  if (checked && options.transport) {
    checked = require_one_of(transports(), "Options::transport", *options.transport);
  }
  if (checked && options.device_order) {
    checked = require_one_of(known_device_orders, "Options::device_order", *options.device_order);
  }
  return checked;
}

Result<std::optional<Isa>> read_isa(const Lookup& lookup) {
  const std::optional<std::string> text = text_of(lookup, "RONDO_ISA");
  if (!text) return std::optional<Isa>();
  const std::optional<Isa> isa = parse_isa(*text);
  if (isa && is_supported(*isa)) return isa;
  return malformed("RONDO_ISA", *text,
                   concat("an instruction set that rondo can use here: ", supported_isas()));
}

Result<Options> read_options(const Lookup& lookup, Options options) {
  Result<> read = check_options(options);
  if (read) read = read_timeout(lookup, "RONDO_TIMEOUT_MS", default_timeout, options.timeout);
  if (read) {
    read =
        read_timeout(lookup, "RONDO_JOIN_TIMEOUT_MS", default_join_timeout, options.join_timeout);
  }
  if (read) read = read_algorithms(lookup, options);
  if (read) read = read_radix(lookup, options.radix);
  if (read) read = read_bytes(lookup, "RONDO_TILE_BYTES", 0, tile_bytes_most, options.tile_bytes);
  if (read) {
    read = read_bytes(lookup, "RONDO_SHARED_BYTES", shared_bytes_least, shared_bytes_most,
                      options.shared_bytes);
  }
  if (read) {
    read = read_bytes(lookup, "RONDO_DEVICE_PACKET_BYTES", 0, device_packet_bytes_most,
                      options.device_packet_bytes);
  }
  if (read) read = read_one_of(transports(), lookup, "RONDO_TRANSPORT", options.transport);
  if (read) {
    read = read_one_of(known_device_orders, lookup, "RONDO_DEVICE_ORDER", options.device_order);
  }
  if (!options.topology) options.topology = text_of(lookup, "RONDO_TOPOLOGY");
  if (!options.costs) options.costs = text_of(lookup, "RONDO_COSTS");
  if (!options.plan_file) options.plan_file = text_of(lookup, "RONDO_PLAN_FILE");
  if (!read) return read.error();
  return options;
}

}  // namespace rondo
