// Exact explanations of wrong values. A fingerprint says that something is wrong; here the same run
// is folded once more over expression trees, and the contributions in one of them are counted.

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.hpp"
#include "check/dataflow.hpp"
#include "schedule/runs.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

constexpr int longest_list = 8;
constexpr std::uint64_t never = UINT64_MAX;

class Terms {
 public:
  using Value = std::uint32_t;  // a node; 0: undefined
  struct Contribution {
    std::uint32_t segment = 0;
    int rank = 0;
    friend auto operator<=>(const Contribution&, const Contribution&) = default;
  };
  using Counts = std::map<Contribution, std::uint64_t>;

  explicit Terms(std::uint64_t stop_at) : completions_left_(stop_at) {}

  bool is_defined(Value value) const { return value != 0; }
  Value input(int rank, std::uint32_t segment) { return add_node({{segment, rank}, 0, 0}); }
  Value add(Value a, Value b) { return add_node({{}, a, b}); }
  Value complete(Value value, std::uint32_t segment) {
    if (completions_left_-- == 0) {
      stopped_at_ = value;
      segment_ = segment;
      objection_ = "stop";
    }
    return value;
  }
  Value round(Value value) const { return value; }
  const char* objection() const { return objection_; }
  Value stopped_at() const { return stopped_at_; }
  std::uint32_t segment() const { return segment_; }

  /// How often each contribution is in the value. Operands are always older than their sum.
  Counts count(Value value) const {
    std::vector<std::uint64_t> times(value + 1);
    times[value] = 1;
    Counts counts;
    for (Value node = value; node > 0; --node) {
      if (times[node] == 0) continue;
      const Node& term = nodes_[node];
      if (term.left == 0) {
        counts[term.leaf] += times[node];
      } else {
        times[term.left] += times[node];
        times[term.right] += times[node];
      }
    }
    return counts;
  }

 private:
  struct Node {
    Contribution leaf;
    Value left = 0;
    Value right = 0;
  };
  Value add_node(Node node) {
    nodes_.push_back(node);
    return static_cast<Value>(nodes_.size() - 1);
  }

  std::vector<Node> nodes_ = {Node{}};
  std::uint64_t completions_left_;
  Value stopped_at_ = 0;
  std::uint32_t segment_ = 0;
  const char* objection_ = nullptr;
};

class List {
 public:
  void add(const std::string& text) {
    if (++size_ <= longest_list) text_ += (text_.empty() ? "" : ", ") + text;
  }
  bool empty() const { return size_ == 0; }
  std::string text() const {
    return size_ <= longest_list ? text_ : concat(text_, " and ", size_ - longest_list, " more");
  }

 private:
  std::string text_;
  int size_ = 0;
};

std::string difference(const Expected& expected, Terms::Counts counts) {
  List missing;
  List repeated;
  List foreign;
  for (int rank = expected.first; rank <= expected.last; ++rank) {
    const auto found = counts.find({expected.segment, rank});
    if (found == counts.end()) {
      missing.add(concat("rank ", rank));
      continue;
    }
    if (found->second > 1) repeated.add(concat("rank ", rank, " ", found->second, " times"));
    counts.erase(found);
  }
  for (const auto& [contribution, times] : counts) {
    foreign.add(concat("segment ", contribution.segment, " of rank ", contribution.rank));
  }
  List text;
  if (!missing.empty())
    text.add(concat("lacks segment ", expected.segment, " of ", missing.text()));
  if (!repeated.empty())
    text.add(concat("holds segment ", expected.segment, " of ", repeated.text()));
  if (!foreign.empty()) text.add(concat("holds what doesn't belong there: ", foreign.text()));
  return text.text();
}

// The step that wrote a segment of `out` last, in words.
std::string last_writer(const Schedule& schedule, const Trace& trace, int rank,
                        std::uint32_t out_segment) {
  const Program& program = schedule.programs[rank];
  const auto writes = [&](const Step& step) {
    const StepParts parts(program, step);
    return std::any_of(parts.begin(), parts.end(), [&](const Step& part) {
      const Slice target = part.destination();
      return part.has_destination() && target.buffer == Buffer::out &&
             target.segment <= out_segment && out_segment - target.segment < target.count;
    });
  };
  for (auto event = trace.events.rbegin(); event != trace.events.rend(); ++event) {
    const Step& step = schedule.programs[event->rank].steps[event->step];
    const bool message = step.op == StepOp::send;
    const int writer = message ? step.peer : static_cast<int>(event->rank);
    const std::uint32_t index = message ? event->recv_step : event->step;
    if (writer == rank && writes(program.steps[index])) {
      return concat("last written by ", where(program, index));
    }
  }
  return "no step writes it";
}

}  // namespace

std::string explain_output(const Schedule& schedule, const Trace& trace, Placement placement,
                           int rank, std::uint32_t out_segment) {
  Terms terms(never);
  Fold<Terms> fold(schedule, placement, terms);
  const Expected expected = expected_at(schedule.programs[rank], out_segment);
  const Result<> done = fold.run(trace);
  if (!done) return done.error().text();
  const Terms::Value value = fold.value(rank, {Buffer::out, out_segment});
  return concat(difference(expected, terms.count(value)), "; ",
                last_writer(schedule, trace, rank, out_segment));
}

std::string explain_completion(const Schedule& schedule, const Trace& trace, Placement placement,
                               std::uint64_t completion) {
  Terms terms(completion);
  Fold<Terms> fold(schedule, placement, terms);
  if (fold.run(trace)) return "is not the sum over all ranks";
  return difference({terms.segment(), 0, schedule.plan.ranks - 1, true},
                    terms.count(terms.stopped_at()));
}

}  // namespace rondo
