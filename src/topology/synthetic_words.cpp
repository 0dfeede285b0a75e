// Words for made-up machines: "16 x dgx-h100, fat tree of 4 hosts tapered 2:1".

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/text.hpp"
#include "topology/synthetic.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

constexpr int most_hosts = 1 << 16;
constexpr int most_pus = 4096;
constexpr int most_devices = 64;
constexpr std::int64_t most_ranks = 1 << 20;

struct Preset {
  std::string_view name;
  HostShape shape;
};
// The published shapes of these machines, simplified: two levels of PCIe switches become one.
constexpr std::array presets = {
    Preset{"dgx-1",
           {2, 1, 1, 20, 2, 4, 8, 4, "V100", GpuLinks::cube_mesh, 25'000, 15'754, 100'000}},
    Preset{"dgx-2",
           {2, 1, 1, 24, 2, 8, 16, 8, "V100", GpuLinks::all_to_all, 150'000, 15'754, 100'000}},
    Preset{"dgx-a100",
           {2, 4, 4, 4, 2, 4, 8, 8, "A100", GpuLinks::all_to_all, 300'000, 31'508, 200'000}},
    Preset{"dgx-h100",
           {2, 1, 1, 56, 2, 8, 8, 8, "H100", GpuLinks::all_to_all, 450'000, 63'015, 400'000}},
};

struct Factor {
  std::string_view word;  ///< in the singular
  int HostShape::*count;  ///< none for hosts
  int most;
};
constexpr std::array factors = {
    Factor{"host", nullptr, most_hosts},     Factor{"package", &HostShape::packages, 64},
    Factor{"numa", &HostShape::numas, 64},   Factor{"l3", &HostShape::l3s, 64},
    Factor{"core", &HostShape::cores, 1024}, Factor{"pu", &HostShape::pus, 8},
};

struct Per {
  std::string_view word;
  RankPer per;
};
constexpr std::array pers = {Per{"host", RankPer::host}, Per{"package", RankPer::package},
                             Per{"numa", RankPer::numa}, Per{"core", RankPer::core},
                             Per{"pu", RankPer::pu},     Per{"gpu", RankPer::gpu}};

std::vector<std::string> words_in(std::string_view text) {
  std::vector<std::string> words(1);
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == ',') {
      words.emplace_back(",");
      words.emplace_back();
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (!words.back().empty()) words.emplace_back();
    } else {
      words.back() += c;
    }
  }
  std::erase(words, "");
  return words;
}

class SpecParser {
 public:
  explicit SpecParser(std::string_view text) : words_(words_in(text)) {}

  Result<SyntheticSpec> parse() {
    parse_product();
    while (!failed() && take(",")) parse_item();
    if (at_ < words_.size()) expected("',' or the end");
    if (!failed()) check_sizes();
    if (failed()) return Error(ErrorCode::invalid_argument, concat("synthetic machine: ", error_));
    return spec_;
  }

 private:
  bool failed() const { return !error_.empty(); }
  std::string_view word() const { return at_ < words_.size() ? words_[at_] : std::string_view(); }

  void fail(const std::string& text) {
    if (!failed()) error_ = text;
  }
  void expected(std::string_view what) {
    const std::string found = word().empty() ? "the end" : concat("'", word(), "'");
    fail(concat("expected ", what, ", found ", found));
  }
  bool take(std::string_view word) {
    if (failed() || this->word() != word) return false;
    ++at_;
    return true;
  }
  bool take_noun(std::string_view singular) {
    return take(singular) || take(concat(singular, "s"));
  }
  void need(std::string_view word) {
    if (!take(word)) expected(concat("'", word, "'"));
  }
  void need_noun(std::string_view singular) {
    if (!take_noun(singular)) expected(concat("'", singular, "s'"));
  }
  std::optional<int> number_here() const {
    int value = 0;
    const auto [end, error] = std::from_chars(word().data(), word().data() + word().size(), value);
    const bool whole = !word().empty() && end == word().data() + word().size();
    return whole && error == std::errc() ? std::optional(value) : std::nullopt;
  }
  int number(std::string_view what, int most) {
    const auto value = number_here();
    if (!value || *value < 1 || *value > most) {
      expected(concat(what, " from 1 to ", most));
      return 1;
    }
    ++at_;
    return *value;
  }

  bool take_preset() {
    for (const Preset& preset : presets) {
      if (!take_noun(preset.name)) continue;
      spec_.host = preset.shape;
      return true;
    }
    return false;
  }

  // "2 hosts x 2 packages x 8 cores", from the outside to the inside; "4 x dgx-2"; "dgx-2".
  void parse_product() {
    std::size_t next = 0;
    do {
      if (take_preset()) return;
      const auto count = number_here();
      if (!count) {
        expected("a number, or dgx-1, dgx-2, dgx-a100 or dgx-h100");
        return;
      }
      const std::size_t number_at = at_++;
      if (next == 0 && word() == "x") {  // "4 x dgx-2"
        at_ = number_at;
        spec_.hosts = number("a number of hosts", most_hosts);
        next = 1;
        need("x");
        if (!take_preset()) expected("dgx-1, dgx-2, dgx-a100 or dgx-h100");
        return;
      }
      const auto factor = std::find_if(factors.begin(), factors.end(),
                                       [&](const Factor& f) { return take_noun(f.word); });
      if (factor == factors.end()) {
        expected("hosts, packages, numas, l3s, cores or pus");
        return;
      }
      const auto index = static_cast<std::size_t>(factor - factors.begin());
      if (index < next) {
        fail(concat("'", factor->word,
                    "s' comes too late or twice: the order is hosts x packages "
                    "x numas x l3s x cores x pus"));
        return;
      }
      next = index + 1;
      if (*count < 1 || *count > factor->most) {
        fail(concat("the number of ", factor->word, "s is from 1 to ", factor->most, ", not ",
                    *count));
        return;
      }
      (factor->count ? spec_.host.*factor->count : spec_.hosts) = *count;
    } while (take("x"));
  }

  void parse_item() {
    if (take("rail-optimised")) {
      need("fat");
      need("tree");
      parse_network(NetworkKind::rail_optimised, "rack");
    } else if (take("fat")) {
      need("tree");
      parse_network(NetworkKind::fat_tree, "rack");
    } else if (take("dragonfly")) {
      parse_network(NetworkKind::dragonfly, "switch");
    } else if (take("one")) {
      need("rank");
      need("per");
      const auto per =
          std::find_if(pers.begin(), pers.end(), [&](const Per& p) { return take(p.word); });
      if (per == pers.end()) {
        expected("host, package, numa, core, pu or gpu");
      } else {
        set_ranks(per->per);
      }
    } else {
      parse_counted();
    }
  }

  // "8 gpus with nvlink", "2 nics of 100 gbit/s", "4 ranks": of each host.
  void parse_counted() {
    if (!number_here()) {
      expected(
          "'N nics', 'N gpus', 'N ranks', 'one rank per …', 'fat tree of N hosts' or "
          "'dragonfly of N switches of N hosts'");
      return;
    }
    const int count = number("a number", most_pus);
    HostShape& host = spec_.host;
    if (take_noun("nic")) {
      host.nics = count;
      if (take("of")) {
        host.nic_mbits_per_s = static_cast<std::uint32_t>(number("a speed", 3200)) * 1000;
        need("gbit/s");
      }
    } else if (take_noun("gpu")) {
      host.gpus = count;
      host.links = GpuLinks::none;
      if (take("with")) {
        need("nvlink");
        host.links = GpuLinks::all_to_all;
        host.link_mbytes_per_s = 300'000;
      }
    } else if (take_noun("rank")) {
      set_ranks(RankPer::count);
      spec_.ranks = count;
    } else {
      expected("nics, gpus or ranks");
    }
  }

  void set_ranks(RankPer per) {
    if (spec_.rank_per != RankPer::automatic) {
      fail("the ranks of a host are given twice; give 'N ranks' or 'one rank per …' once");
    }
    spec_.rank_per = per;
  }

  void parse_network(NetworkKind kind, std::string_view narrow) {
    if (spec_.network != NetworkKind::flat) fail("there are two networks; give one");
    spec_.network = kind;
    need("of");
    const int count = number("a number of hosts or groups", most_hosts);
    const bool groups = take_noun(narrow) || (narrow == "switch" && take("switches"));
    if (groups) {
      spec_.groups_of_group = count;
      need("of");
      spec_.hosts_of_group = number("a number of hosts", most_hosts);
    } else {
      spec_.hosts_of_group = count;
      if (kind == NetworkKind::dragonfly) expected("'switches'");
    }
    need_noun("host");
    if (take("tapered")) parse_taper();
  }

  // 2:1 is half of what the hosts could send.
  void parse_taper() {
    const std::string_view text = word();
    const std::size_t colon = text.find(":1");
    int ratio = 0;
    const char* const last = text.data() + std::min(colon, text.size());
    const auto [end, error] = std::from_chars(text.data(), last, ratio);
    const bool whole = colon != text.npos && colon + 2 == text.size() && end == last;
    if (!whole || error != std::errc() || ratio < 1 || ratio > 100) {
      expected("a taper from 1:1 to 100:1");
      return;
    }
    ++at_;
    spec_.uplink_percent = 100 / ratio;
  }

  std::int64_t ranks_of_host(std::int64_t cores) const {
    const HostShape& host = spec_.host;
    switch (spec_.rank_per) {
      case RankPer::host:
        return 1;
      case RankPer::package:
        return host.packages;
      case RankPer::numa:
        return std::int64_t{host.packages} * host.numas;
      case RankPer::core:
        return cores;
      case RankPer::pu:
        return cores * host.pus;
      case RankPer::count:
        return spec_.ranks;
      case RankPer::automatic:
      case RankPer::gpu:
        break;
    }
    return host.gpus > 0 ? host.gpus : cores;
  }

  void check_sizes() {
    const HostShape& host = spec_.host;
    const std::int64_t cores = std::int64_t{host.packages} * host.numas * host.l3s * host.cores;
    if (cores * host.pus > most_pus) {
      fail(concat("a host has at most ", most_pus, " PUs, not ", cores * host.pus));
    }
    if (host.gpus > most_devices || host.nics > most_devices) {
      fail(concat("a host has at most ", most_devices, " GPUs and ", most_devices, " NICs"));
    }
    const std::int64_t group = std::int64_t{spec_.groups_of_group} * spec_.hosts_of_group;
    if (spec_.network == NetworkKind::dragonfly && group > spec_.hosts) {
      fail(concat("a group of the dragonfly has ", group, " hosts, but there are ", spec_.hosts));
    }
    if (spec_.rank_per == RankPer::gpu && host.gpus == 0) fail("there are no GPUs to give ranks");
    const std::int64_t ranks = spec_.hosts * ranks_of_host(cores);
    if (ranks > most_ranks) {
      fail(concat("that makes ", ranks, " ranks, more than ", most_ranks));
    }
    if (host.links == GpuLinks::cube_mesh && host.gpus != 8) {
      fail("the mesh of a dgx-1 has 8 GPUs");
    }
  }

  std::vector<std::string> words_;
  std::size_t at_ = 0;
  std::string error_;
  SyntheticSpec spec_;
};

}  // namespace

Result<SyntheticSpec> parse_synthetic(std::string_view description) {
  return SpecParser(description).parse();
}

}  // namespace rondo
