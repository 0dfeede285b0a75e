// The way back from topology text. The text comes from people, files and other ranks: nothing is
// allocated by the numbers in it, only by its length.

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/text.hpp"
#include "base/words.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

constexpr int max_index = 1 << 24;

std::optional<std::vector<int>> ranges_in(std::string_view word) {
  std::vector<int> numbers;
  if (word == "?") return numbers;
  for (const std::string_view part : split(word, ',')) {
    const std::size_t dash = part.find('-');
    const auto first = number_in<int>(part.substr(0, dash));
    const auto last = dash == part.npos ? first : number_in<int>(part.substr(dash + 1));
    const int least = numbers.empty() ? 0 : numbers.back() + 1;
    if (!first || !last || *first < least || *last < *first || *last > max_pu) return {};
    for (int number = *first; number <= *last; ++number) numbers.push_back(number);
  }
  return numbers;
}

template <class Kind>
std::optional<Kind> kind_in(std::string_view word, int count) {
  for (int i = 0; i < count; ++i) {
    if (name(static_cast<Kind>(i)) == word) return static_cast<Kind>(i);
  }
  return std::nullopt;
}

class Line : public Words {
 public:
  using Words::Words;

  /// Takes a word if `value` could be read from it.
  template <class T>
  T accept(const std::optional<T>& value, std::string_view what) {
    if (failed()) return {};
    if (!value || word().empty()) {
      expected(what);
      return {};
    }
    advance();
    return *value;
  }
  int index(std::string_view what, int most = max_index) {
    const auto value = number_in<int>(word());
    const bool good = value && *value >= 0 && *value <= most;
    return accept(good ? value : std::nullopt, concat(what, " as a number up to ", most));
  }
  int index_or_unknown(std::string_view key) {
    need(key);
    return take("?") ? unknown : index(concat("the ", key, " ('?' if unknown)"));
  }
  template <class Number>
  Number value(std::string_view what) {
    return accept(number_in<Number>(word()), concat(what, " as a number"));
  }
  std::uint32_t rate(std::string_view key) {
    need(key);
    return take("?") ? 0 : value<std::uint32_t>("a rate ('?' if unknown)");
  }
  std::string text(std::string_view key) {
    need(key);
    if (take("?")) return {};
    return accept(std::optional(std::string(word())), concat("the ", key, " ('?' if unknown)"));
  }
  std::vector<std::string> list(std::string_view key, char separator) {
    need(key);
    std::vector<std::string> words;
    if (take("?")) return words;
    for (const std::string_view part : split(word(), separator)) {
      if (part.empty()) expected(concat("the ", key, " separated by '", separator, "'"));
      words.emplace_back(part);
    }
    if (!failed()) advance();
    return words;
  }
  std::vector<int> pus() {
    need("pus");
    return accept(ranges_in(word()),
                  concat("PUs such as 0-3,8 in rising order, up to ", max_pu, ", or '?'"));
  }
};

Device parse_device(Line& line) {
  Device device;
  device.names = line.list("names", ',');
  device.model = line.text("model");
  device.pci = line.text("pci");
  device.via = line.list("via", '/');
  device.package = line.index_or_unknown("package");
  device.numa = line.index_or_unknown("numa");
  device.pci_mbytes_per_s = line.rate("pci_mbytes_per_s");
  device.speed_mbits_per_s = line.rate("speed_mbits_per_s");
  return device;
}

Object parse_object(Line& line) {
  const std::string_view word = line.word();
  const std::size_t colon = word.find(':');
  const auto kind = kind_in<ObjectKind>(word.substr(0, colon), object_kind_count);
  const auto index = number_in<int>(colon == word.npos ? "" : word.substr(colon + 1));
  std::optional<Object> object;
  if (kind && index && *index >= 0) object = Object{*kind, *index};
  return line.accept(object, "an object such as gpu:3, nic:0, numa:1, package:0, core:5 or pu:7");
}

class Parser {
 public:
  explicit Parser(std::string_view kind) : kind_(kind) {}

  Result<Topology> parse(std::string_view text) {
    const std::string wrong =
        first_wrong_line<Line>(text, [this](Line& line, std::size_t) { parse_line(line); });
    if (!wrong.empty()) return failure(wrong);
    if (!header_) return failure(concat("the text is empty; it begins 'rondo ", kind_, " 1'"));
    if (open_matrix()) {
      return failure(concat("the text ends inside the matrix ", matrices().back().name));
    }
    if (Result<> sound = check_references(topology_); !sound) {
      return failure(sound.error().text());
    }
    return std::move(topology_);
  }

  Error failure(const std::string& text) const {
    return Error(ErrorCode::invalid_argument, concat(kind_, " text: ", text));
  }

 private:
  void parse_line(Line& line) {
    if (!header_) {
      line.need("rondo");
      line.need(kind_);
      line.need("1");
      header_ = true;
    } else if (open_matrix()) {
      parse_row(line);
    } else if (line.take("machine")) {
      parse_machine(line);
    } else if (!topology_.machines.empty() && parse_inside_machine(line)) {
      return;
    } else if (kind_ == "topology" && line.take("network")) {
      parse_network(line);
    } else if (kind_ == "topology" && line.take("host")) {
      parse_host(line);
    } else if (kind_ == "topology" && line.take("rank")) {
      parse_rank(line);
    } else {
      line.expected(topology_.machines.empty() ? "'machine' or 'network'"
                                               : "'machine', 'core', 'gpu', 'nic', 'matrix', "
                                                 "'host' or 'rank'");
    }
  }

  bool parse_inside_machine(Line& line) {
    Machine& machine = topology_.machines.back();
    if (line.take("core")) {
      need_index(line, machine.cores.size());
      Core core;
      core.package = line.index_or_unknown("package");
      core.numa = line.index_or_unknown("numa");
      core.l3 = line.index_or_unknown("l3");
      core.l2 = line.index_or_unknown("l2");
      core.pus = line.pus();
      machine.cores.push_back(std::move(core));
    } else if (line.take("gpu")) {
      need_index(line, machine.gpus.size());
      machine.gpus.push_back(parse_device(line));
    } else if (line.take("nic")) {
      need_index(line, machine.nics.size());
      machine.nics.push_back(parse_device(line));
    } else if (line.take("matrix")) {
      parse_matrix(line);
    } else {
      return false;
    }
    return true;
  }

  void parse_machine(Line& line) {
    need_index(line, topology_.machines.size());
    Machine machine;
    line.need("cores");
    machine.cores_known = line.take("known");
    if (!machine.cores_known) line.need("unknown");
    line.need("devices");
    machine.devices_known = line.take("known");
    if (!machine.devices_known) line.need("hidden");
    topology_.machines.push_back(std::move(machine));
  }

  void parse_matrix(Line& line) {
    Matrix matrix;
    matrix.name = line.accept(std::optional(std::string(line.word())), "the name of the matrix");
    matrix.bandwidth = line.take("bandwidth");
    if (!matrix.bandwidth) line.need("latency");
    while (!line.empty() && !line.failed()) matrix.objects.push_back(parse_object(line));
    if (matrix.objects.empty()) line.expected("the objects of the matrix");
    topology_.machines.back().matrices.push_back(std::move(matrix));
  }

  void parse_row(Line& line) {
    Matrix& matrix = matrices().back();
    for (std::size_t i = 0; i < matrix.objects.size() && !line.failed(); ++i) {
      matrix.values.push_back(line.value<std::uint64_t>(
          concat(matrix.objects.size(), " values of the matrix ", matrix.name, ", each")));
    }
  }

  void parse_network(Line& line) {
    Network& network = topology_.network;
    network.kind = line.accept(kind_in<NetworkKind>(line.word(), network_kind_count),
                               "unknown, flat, fat_tree, dragonfly or rail_optimised");
    while (!line.empty() && !line.failed()) {
      NetworkLevel level;
      level.name = line.accept(std::optional(std::string(line.word())), "the name of a level");
      line.need("uplink");
      const std::string_view word = line.word();
      const auto percent = number_in<int>(word.substr(0, word.empty() ? 0 : word.size() - 1));
      const bool good = percent && *percent > 0 && word.back() == '%';
      level.uplink_percent = line.accept(good ? percent : std::nullopt, "a share such as 50%");
      network.levels.push_back(std::move(level));
    }
  }

  void parse_host(Line& line) {
    need_index(line, topology_.hosts.size());
    Host host;
    host.id = line.text("id");
    line.need("machine");
    host.machine = line.index("a machine");
    for (const std::string& group : line.list("groups", '/')) {
      const auto number = number_in<int>(group);
      if (!number || *number < 0) line.expected("groups such as 0/3 or '?'");
      host.groups.push_back(number.value_or(0));
    }
    host.gpu_uuids = line.list("uuids", ',');
    topology_.hosts.push_back(std::move(host));
  }

  void parse_rank(Line& line) {
    need_index(line, topology_.ranks.size());
    Rank rank;
    line.need("host");
    rank.host = line.index("a host");
    rank.pus = line.pus();
    rank.gpu = line.index_or_unknown("gpu");
    topology_.ranks.push_back(std::move(rank));
  }

  // Everything comes in order, without gaps.
  static void need_index(Line& line, std::size_t index) { line.need(concat(index)); }

  std::vector<Matrix>& matrices() { return topology_.machines.back().matrices; }
  bool open_matrix() {
    if (topology_.machines.empty() || matrices().empty()) return false;
    const Matrix& matrix = matrices().back();
    return matrix.values.size() < matrix.objects.size() * matrix.objects.size();
  }

  std::string_view kind_;
  Topology topology_;
  bool header_ = false;
};

}  // namespace

Result<Topology> parse_topology(std::string_view text) {
  return Parser("topology").parse(text);
}

Result<Machine> parse_machine(std::string_view text) {
  Parser parser("machine");
  Result<Topology> topology = parser.parse(text);
  if (!topology) return topology.error();
  const std::size_t machines = topology.value().machines.size();
  if (machines != 1) return parser.failure(concat("one machine is expected, not ", machines));
  return std::move(topology.value().machines.front());
}

Result<RankView> parse_view(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  Line line(text);
  RankView view;
  line.need("view");
  line.need("rank");
  view.rank = line.index("a rank", std::numeric_limits<int>::max());
  view.host = line.text("host");
  line.need("machine");
  view.machine = line.accept(number_in<std::uint64_t>(line.word(), 16), "the hash of a machine");
  view.pus = line.pus();
  view.gpu = line.index_or_unknown("gpu");
  view.gpu_uuids = line.list("uuids", ',');
  line.finish();
  if (text.find('\n') != text.npos) {
    return Error(ErrorCode::invalid_argument, "view of a rank: more than one line");
  }
  if (line.failed()) {
    return Error(ErrorCode::invalid_argument, concat("view of a rank: ", line.error()));
  }
  return view;
}

}  // namespace rondo
