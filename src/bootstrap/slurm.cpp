#include "bootstrap/slurm.hpp"

#include "bootstrap/environment.hpp"

namespace rondo {

namespace {

constexpr std::int64_t count_most = 1 << 20;

}  // namespace

std::optional<std::string> first_slurm_host(std::string_view list) {
  std::string host;
  while (!list.empty() && list.front() != ',') {
    if (list.front() != '[') {
      if (list.front() == ']') return std::nullopt;
      host += list.front();
      list.remove_prefix(1);
      continue;
    }
    const std::size_t close = list.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view choices = list.substr(1, close - 1);
    const std::string_view first = choices.substr(0, choices.find_first_of(",-"));
    if (first.empty()) return std::nullopt;
    host += first;
    list.remove_prefix(close + 1);
  }
  if (host.empty()) return std::nullopt;
  return host;
}

std::optional<int> slurm_tasks_on_node(std::string_view list, int node) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view item = list.substr(0, comma);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    std::optional<std::int64_t> repeats = 1;
    const std::size_t open = item.find("(x");
    if (open != std::string_view::npos) {
      if (!item.ends_with(')')) return std::nullopt;
      repeats = parse_integer(item.substr(open + 2, item.size() - open - 3), 1, count_most);
      item = item.substr(0, open);
    }
    const std::optional<std::int64_t> tasks = parse_integer(item, 1, count_most);
    if (!tasks || !repeats) return std::nullopt;
    if (node < *repeats) return static_cast<int>(*tasks);
    node -= static_cast<int>(*repeats);
  }
  return std::nullopt;
}

}  // namespace rondo
