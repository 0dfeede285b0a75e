#include "cli/algorithms.hpp"

#include "base/text.hpp"

namespace rondo::cli {

Collective take_collective(Arguments& arguments) {
  const std::string text = arguments.value("--collective").value_or("allreduce");
  const auto collective = parse_collective(text);
  if (!collective) throw UsageError(concat("unknown collective '", text, "'"));
  return *collective;
}

std::vector<Algorithm> take_algorithms(Arguments& arguments, Collective collective) {
  std::vector<Algorithm> algorithms;
  while (const std::optional<std::string> word = arguments.word()) {
    const auto algorithm = parse_algorithm(*word);
    if (!algorithm) throw UsageError(concat("unknown algorithm '", *word, "'"));
    if (!is_supported(*algorithm, collective)) {
      throw UsageError(concat("there is no ", *word, " ", name(collective)));
    }
    algorithms.push_back(*algorithm);
  }
  if (!algorithms.empty()) return algorithms;
  for (int i = 0; i < algorithm_count; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    if (is_supported(algorithm, collective)) algorithms.push_back(algorithm);
  }
  return algorithms;
}

}  // namespace rondo::cli
