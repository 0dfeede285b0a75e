#include "api/named_files.hpp"

#include <algorithm>
#include <iostream>
#include <map>
#include <vector>

#include "api/text_file.hpp"
#include "base/text.hpp"
#include "plan/default_costs.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

Result<> take_topology(std::string_view text, const FileSource& source, Settings& settings) {
  Result<Topology> topology = parse_topology(text);
  if (!topology) return topology.error();
  const auto named = static_cast<int>(topology.value().ranks.size());
  if (source.ranks > 0 && named != source.ranks) {
    return Error(ErrorCode::invalid_argument,
                 concat("the topology is of ", named, named == 1 ? " rank" : " ranks",
                        ", but this world has ", source.ranks,
                        "; describe all of its ranks, or leave RONDO_TOPOLOGY out"));
  }
  settings.topology = std::make_shared<const Topology>(canonical(std::move(topology).value()));
  return {};
}

Result<> take_costs(std::string_view text, const FileSource& source, Settings& settings) {
  Result<CostTable> costs = parse_costs_file(text);
  if (!costs) return costs.error();
  settings.costs = std::move(costs).value();
  settings.costs_file = source.path;
  return {};
}

void drop_costs(Settings& settings) {
  settings.costs.reset();
  settings.costs_file.clear();
}

Result<> take_rules(std::string_view text, const FileSource&, Settings& settings) {
  Result<std::vector<Rule>> rules = parse_rules(text);
  if (!rules) return rules.error();
  settings.wishes.rules = std::move(rules).value();
  return {};
}

std::string text_of_rules(const Settings& settings) {
  std::string text;
  for (const Rule& rule : settings.wishes.rules) text += concat(to_text(rule), "\n");
  return text;
}

constexpr std::array<NamedFile, named_file_count> files = {
    NamedFile{"topology", "RONDO_TOPOLOGY", "rondo topo --text", "the topology that they see",
              &Options::topology, take_topology,
              [](Settings& settings) { settings.topology.reset(); },
              [](const Settings& settings) {
                return settings.topology ? to_text(*settings.topology) : std::string();
              }},
    NamedFile{"costs", "RONDO_COSTS", "rondo topo --costs", "the costs that were measured",
              &Options::costs, take_costs, drop_costs,
              [](const Settings& settings) {
                return settings.costs ? to_text(*settings.costs) : std::string();
              }},
    NamedFile{"plan_file", "RONDO_PLAN_FILE", "rondo tune --save", "what the planner chooses",
              &Options::plan_file, take_rules,
              [](Settings& settings) { settings.wishes.rules.clear(); }, text_of_rules},
};

// Not a file: the constants that planners have where nothing was measured.
constexpr std::string_view plain_costs = "default";

// What a rank tells of a file: the hash of its content as 16 digits, or one of these.
using Word = std::array<char, 16>;
using Words = std::array<Word, named_file_count>;
constexpr std::string_view none = "none";
constexpr std::string_view unusable = "unusable";

Word word_of(std::string_view text) {
  Word word{};
  std::copy_n(text.begin(), std::min(text.size(), word.size()), word.begin());
  return word;
}

std::string text_of(const Word& word) {
  return {word.begin(), std::find(word.begin(), word.end(), '\0')};
}

Words words_of(const FileTroubles& troubles, const Settings& settings) {
  Words words{};
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string text = files[i].text(settings);
    words[i] = word_of(!troubles[i].empty() ? unusable : text.empty() ? none : hash_word(text));
  }
  return words;
}

// "rank 0 has none, ranks 1, 2 have 0123456789abcdef"
std::string who_has_what(const std::map<Word, std::vector<int>>& ranks) {
  std::string text;
  for (const auto& [word, same] : ranks) {
    text += concat(text.empty() ? "" : ", ", list_ranks(same),
                   same.size() == 1 ? " has " : " have ", text_of(word));
  }
  return text;
}

}  // namespace

std::span<const NamedFile, named_file_count> named_files() {
  return files;
}

Result<> read_file(const NamedFile& file, const FileSource& source, Settings& settings) {
  if (file.path == &Options::costs && source.path == plain_costs) {
    settings.costs = CostTable{};
    settings.costs_file = source.path;
    return {};
  }
  const std::string prefix = concat(file.variable, "=", source.path, ": ");
  const Result<std::string> text = read_text_file(source.path);
  if (!text) {
    return Error(ErrorCode::io, concat(prefix, "cannot read the file: ", text.error().text(), "; '",
                                       file.writer, "' writes one"));
  }
  const Result<> taken = file.take(text.value(), source, settings);
  if (!taken) return taken.error().with_prefix(prefix);
  return {};
}

FileTroubles read_files_of_environment(const Options& given, const Options& complete, int ranks,
                                       Settings& settings) {
  FileTroubles troubles;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::optional<std::string>& path = complete.*files[i].path;
    if (given.*files[i].path || !path) continue;
    const Result<> read = read_file(files[i], {*path, ranks}, settings);
    if (!read) troubles[i] = read.error().text();
  }
  return troubles;
}

Result<> agree_on_files(Exchange exchange, const FileTroubles& own, Settings& settings) {
  const Words mine = words_of(own, settings);
  const auto all = gather<Words>(exchange, std::span(&mine, 1));
  if (!all) return all.error();
  std::string differing;
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::map<Word, std::vector<int>> ranks;
    for (std::size_t rank = 0; rank < all.value().size(); ++rank) {
      ranks[all.value()[rank][i]].push_back(static_cast<int>(rank));
    }
    if (const auto found = ranks.find(word_of(unusable)); found != ranks.end()) {
      files[i].drop(settings);
      if (found->second.front() != exchange.rank()) continue;
      std::cerr << concat("rondo: ", own[i], "; since ", list_ranks(found->second),
                          " cannot use the file, all ranks use ", files[i].otherwise, " instead\n");
    } else if (ranks.size() > 1) {
      differing += concat(differing.empty() ? "" : "; ", "option ", files[i].option,
                          " differs: ", who_has_what(ranks));
    }
  }
  if (differing.empty()) return {};
  return Error(ErrorCode::join_failed,
               concat("the world of ", exchange.size(), " ranks was not formed: ", differing));
}

}  // namespace rondo
