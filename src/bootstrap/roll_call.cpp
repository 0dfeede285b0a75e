#include "bootstrap/roll_call.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.hpp"

namespace rondo {

namespace {

// Only ranks of the job can add a line, but a job can be large.
constexpr std::size_t lines_most = 32;
constexpr std::size_t text_bytes_most = 8192;
static_assert(text_bytes_most < wire::refusal_bytes_most);

std::string who(const wire::Hello& hello) {
  if (hello.host.empty()) return concat("rank ", hello.rank, " (pid ", hello.pid, ")");
  return concat("rank ", hello.rank, " (pid ", hello.pid, " on ", hello.host, ")");
}

std::map<std::string, std::string> options_of(std::string_view agreement) {
  std::map<std::string, std::string> options;
  while (!agreement.empty()) {
    const std::string_view line = agreement.substr(0, agreement.find('\n'));
    agreement.remove_prefix(std::min(line.size() + 1, agreement.size()));
    const std::size_t equals = std::min(line.find('='), line.size());
    options[std::string(line.substr(0, equals))] = line.substr(std::min(equals + 1, line.size()));
  }
  return options;
}

}  // namespace

std::string to_text(std::chrono::milliseconds duration) {
  const auto count = duration.count();
  if (count % 1000 == 0 || count >= 10'000) return concat((count + 500) / 1000, " s");
  return concat(count, " ms");
}

RollCall::RollCall(wire::Hello own)
    : own_(std::move(own)),
      present_(index(own_.size)),
      came_(index(own_.size)),
      missing_(own_.size - 1) {
  present_[0] = own_;
  came_[0] = true;
}

std::optional<std::string> RollCall::difference(const wire::Hello& hello) const {
  if (hello.version != own_.version) {
    return concat(who(hello), " speaks protocol version ", hello.version, ", ", who(own_),
                  " speaks ", own_.version, ": use the same rondo everywhere");
  }
  if (hello.size != own_.size) {
    return concat(who(hello), " says ", hello.size, " ranks, ", who(own_), " says ", own_.size);
  }
  if (hello.rank < 0 || hello.rank >= own_.size) {
    return concat(who(hello), " is out of range for ", own_.size, " ranks");
  }
  return std::nullopt;
}

RollCall::Answer RollCall::take(const wire::Hello& hello) {
  if (std::optional<std::string> text = difference(hello)) {
    if (disagreeing_.size() < lines_most) disagreeing_.push_back(std::move(*text));
    disagreeing_ranks_.push_back(hello.rank);
    if (hello.rank >= 0 && hello.rank < own_.size) mark_came(hello.rank);
    return Answer::disagrees;
  }
  std::optional<wire::Hello>& place = present_[index(hello.rank)];
  if (place && place->incarnation != hello.incarnation) {
    note(
        concat(who(hello), " was sent away, because that rank was already taken by ", who(*place)));
    return Answer::duplicate;
  }
  const bool returned = place.has_value();
  place = hello;
  mark_came(hello.rank);
  if (hello.agreement != own_.agreement) differing_options_ = true;
  return returned ? Answer::returned : Answer::present;
}

void RollCall::leave(int rank) {
  std::optional<wire::Hello>& place = present_[index(rank)];
  note(concat(who(*place), " came and left again before the world was complete"));
  place.reset();
  came_[index(rank)] = false;
  ++missing_;
}

void RollCall::mark_came(int rank) {
  if (!came_[index(rank)]) --missing_;
  came_[index(rank)] = true;
}

void RollCall::note(std::string text) {
  if (notes_.size() < lines_most) notes_.push_back(std::move(text));
}

std::string RollCall::reason_for_duplicate(const wire::Hello& duplicate) const {
  const wire::Hello& first = *present_[index(duplicate.rank)];
  return concat("rank ", duplicate.rank, " is taken twice: pid ", duplicate.pid, " on ",
                duplicate.host, " claims it, but pid ", first.pid, " on ", first.host,
                " came first; give every process its own rank");
}

std::string RollCall::differing_options() const {
  std::map<std::string, std::map<std::string, std::vector<int>>> ranks;  // by option, by value
  std::map<std::string, std::size_t> said;
  std::size_t speakers = 0;
  for (const std::optional<wire::Hello>& hello : present_) {
    if (!hello) continue;
    ++speakers;
    for (const auto& [option, value] : options_of(hello->agreement)) {
      ranks[option][value].push_back(hello->rank);
      ++said[option];
    }
  }
  std::string text;
  for (const auto& [option, values] : ranks) {
    if (values.size() == 1 && said[option] == speakers) continue;
    text += concat(text.empty() ? "" : "; ", "option ", option, " differs: ");
    bool first = true;
    for (const auto& [value, same] : values) {
      text += concat(first ? "" : ", ", list_ranks(same), same.size() == 1 ? " has " : " have ",
                     value.empty() ? "nothing" : value);
      first = false;
    }
    if (said[option] < speakers) text += ", the others do not know it";
  }
  return text;
}

Result<> RollCall::verdict(std::chrono::milliseconds waited, bool time_is_up) const {
  if (everybody_came() && !disagreement()) return {};
  std::vector<std::string> parts = disagreeing_;
  if (differing_options_) parts.push_back(differing_options());
  std::vector<int> missing;
  for (int rank = 0; rank < own_.size; ++rank) {
    if (!came_[index(rank)]) missing.push_back(rank);
  }
  if (!missing.empty() && time_is_up) {
    parts.push_back(concat(list_ranks(missing), " did not join within ", to_text(waited)));
  }
  parts.insert(parts.end(), notes_.begin(), notes_.end());
  std::string text = concat("the world of ", own_.size, " ranks was not formed: ");
  for (std::size_t i = 0; i < parts.size(); ++i) text += concat(i == 0 ? "" : "; ", parts[i]);
  if (text.size() > text_bytes_most) text = text.substr(0, text_bytes_most) + " …";
  const int culprit = disagreeing_ranks_.size() == 1           ? disagreeing_ranks_[0]
                      : missing.size() == 1 && !disagreement() ? missing[0]
                                                               : -1;
  return Error(ErrorCode::join_failed, culprit, text);
}

}  // namespace rondo
