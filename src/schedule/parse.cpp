// The way back from schedule text to a Schedule. The text comes from people and files: nothing is
// allocated by the numbers in it, only by its length.

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/text.hpp"
#include "base/words.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

class Line : public Words {
 public:
  using Words::Words;

  template <class Number>
  Number number(std::string_view what, Number most = std::numeric_limits<Number>::max()) {
    const std::optional<Number> value = number_in<Number>(word());
    if (value && *value <= most) {
      advance();
      return *value;
    }
    expected(concat(what, " as a number up to ", +most));
    return {};
  }
  template <class Enum>
  Enum named(std::string_view what, std::optional<Enum> (*parse)(std::string_view)) {
    const std::optional<Enum> value = parse(word());
    if (value) {
      advance();
      return *value;
    }
    expected(what);
    return {};
  }
  /// "0,2,1,3": at least one.
  template <class Number>
  std::vector<Number> numbers(std::string_view what) {
    std::vector<Number> found;
    for (std::string_view rest = word(); !failed();) {
      const std::size_t comma = rest.find(',');
      const std::optional<Number> value = number_in<Number>(rest.substr(0, comma));
      if (!value) expected(concat(what, " as numbers with commas between them"));
      found.push_back(value.value_or(Number{}));
      if (comma == rest.npos) break;
      rest.remove_prefix(comma + 1);
    }
    if (!failed()) advance();
    return found;
  }
  Slice slice();
  Wait wait();
};

std::optional<Slice> slice_in(std::string_view word) {
  const std::size_t open = word.find('[');
  if (open == word.npos || word.back() != ']') return std::nullopt;
  Slice slice;
  const auto buffers = {Buffer::in, Buffer::out, Buffer::scratch};
  const auto buffer = std::find_if(buffers.begin(), buffers.end(),
                                   [&](Buffer b) { return name(b) == word.substr(0, open); });
  if (buffer == buffers.end()) return std::nullopt;
  slice.buffer = *buffer;
  const std::string_view range = word.substr(open + 1, word.size() - open - 2);
  const std::size_t dots = range.find("..");
  const auto first = number_in<std::uint32_t>(range.substr(0, dots));
  const auto last = dots == range.npos ? first : number_in<std::uint32_t>(range.substr(dots + 2));
  if (!first || !last || *last < *first || *last - *first == UINT32_MAX) return std::nullopt;
  slice.segment = *first;
  slice.count = *last - *first + 1;
  return slice;
}

Slice Line::slice() {
  const std::optional<Slice> slice = slice_in(word());
  if (slice && !failed()) advance();
  if (!slice) expected("segments such as in[3], out[0..7] or scratch[1]");
  return slice.value_or(Slice{});
}

Wait Line::wait() {
  const std::size_t sign = word().find(">=");
  const auto lane = number_in<std::uint32_t>(word().substr(0, sign));
  const std::string_view steps = sign == word().npos ? std::string_view() : word().substr(sign + 2);
  const auto count = number_in<std::uint32_t>(steps);
  Wait wait;
  if (lane.value_or(UINT32_MAX) > Wait::max_lane || count.value_or(UINT32_MAX) > Wait::max_count) {
    expected(concat("a wait such as 0>=3 (lane up to ", Wait::max_lane, ", steps up to ",
                    Wait::max_count, ")"));
    return wait;
  }
  wait.lane = *lane & Wait::max_lane;
  wait.count = *count & Wait::max_count;
  if (!failed()) advance();
  return wait;
}

void set_source(Step& step, Slice source) {
  step.source_buffer = source.buffer;
  step.source_segment = source.segment;
  step.count = source.count;
}

void set_destination(Step& step, Slice destination) {
  step.destination_buffer = destination.buffer;
  step.destination_segment = destination.segment;
}

void need_equal_counts(Line& line, Slice left, Slice right) {
  if (!line.failed() && left.count != right.count) {
    line.expected(concat("as many segments in ", to_text(left), " as in ", to_text(right)));
  }
}

int parse_peer(Line& line) {
  return line.number<int>("a rank");
}

void parse_recv(Line& line, Step& step) {
  const Slice destination = line.slice();
  line.need("from");
  step.peer = parse_peer(line);
  set_destination(step, destination);
  step.count = destination.count;
  if (line.take("+")) {
    step.flags |= Step::accumulate_flag;
    const Slice own = line.slice();
    need_equal_counts(line, own, destination);
    set_source(step, own);
  }
}

void parse_transfer(Line& line, Step& step) {
  const Slice source = line.slice();
  line.need("to");
  const Slice destination = line.slice();
  if (step.op == StepOp::copy) need_equal_counts(line, source, destination);
  if (step.op == StepOp::reduce && destination.count != 1)
    line.expected("one segment to reduce to");
  set_source(step, source);
  set_destination(step, destination);
}

Step parse_step(Line& line, const Program& program) {
  Step step;
  if (line.take("send")) {
    step.op = StepOp::send;
    set_source(step, line.slice());
    line.need("to");
    step.peer = parse_peer(line);
  } else if (line.take("recv")) {
    step.op = StepOp::recv;
    parse_recv(line, step);
  } else if (line.take("copy")) {
    step.op = StepOp::copy;
    parse_transfer(line, step);
  } else if (line.take("reduce")) {
    step.op = StepOp::reduce;
    parse_transfer(line, step);
  } else {
    line.expected("'send', 'recv', 'copy', 'reduce', 'lane' or 'rank'");
  }
  if (line.take("complete")) step.flags |= Step::complete_flag;
  if (line.take("channel")) step.channel = line.number<std::uint8_t>("a channel");
  if (step.op == StepOp::send && line.take("publication")) {
    step.set_publication(line.number<std::uint32_t>("the number of a publication"));
  }
  step.about = line.take("about") ? line.number<std::uint32_t>("a segment of the vector")
                                  : implied_about(program, step);
  if (line.take("wait")) {
    step.waits[0] = line.wait();
    if (!line.empty()) step.waits[1] = line.wait();
  }
  return step;
}

class Parser {
 public:
  Result<Schedule> parse(std::string_view text) {
    const std::string wrong =
        first_wrong_line<Line>(text, [this](Line& line, std::size_t) { parse_line(line); });
    if (!wrong.empty()) return failure(wrong);
    if (header_lines_ < 2) {
      return failure("the text ends before its first two lines, 'rondo schedule 1' and 'plan …'");
    }
    if (schedule_.programs.size() != static_cast<std::size_t>(schedule_.plan.ranks)) {
      return failure(concat("the plan has ", schedule_.plan.ranks, " ranks, but the text has ",
                            schedule_.programs.size()));
    }
    return std::move(schedule_);
  }

 private:
  static Error failure(const std::string& text) {
    return Error(ErrorCode::invalid_argument, concat("schedule text: ", text));
  }

  void parse_line(Line& line) {
    if (header_lines_ == 0) {
      line.need("rondo");
      line.need("schedule");
      line.need("1");
      ++header_lines_;
    } else if (header_lines_ == 1) {
      parse_plan(line);
      ++header_lines_;
    } else if (schedule_.programs.empty() || line.word() == "rank") {
      parse_rank(line);
    } else if (schedule_.programs.back().lane_end.empty() || line.word() == "lane") {
      line.need("lane");
      need_index(line, schedule_.programs.back().lane_end.size());
      Program& program = schedule_.programs.back();
      program.lane_end.push_back(static_cast<std::uint32_t>(program.steps.size()));
      lane_begin_ = program.steps.size();
    } else {
      Program& program = schedule_.programs.back();
      need_step_number(line, program.steps.size() - lane_begin_);
      program.steps.push_back(parse_step(line, program));
      ++program.lane_end.back();
    }
  }

  void parse_plan(Line& line) {
    Plan& plan = schedule_.plan;
    line.need("plan");
    plan.algorithm = line.named("an algorithm such as ring", &parse_algorithm);
    plan.collective = line.named("a collective such as allreduce", &parse_collective);
    line.need("ranks");
    plan.ranks = line.number<int>("the number of ranks");
    line.need("root");
    plan.root = line.number<int>("the root");
    line.need("radix");
    plan.radix = line.number<int>("the radix");
    if (line.take("channels")) plan.channels = line.number<int>("the number of channels");
    if (!line.take("order")) return;
    std::vector<int> order = line.numbers<int>("ranks");
    std::vector<int> groups;
    if (line.take("groups")) groups = line.numbers<int>("sizes of groups");
    std::vector<std::uint32_t> weights;
    if (line.take("weights")) weights = line.numbers<std::uint32_t>("weights");
    if (line.failed()) return;
    auto made = Arrangement::make(std::move(order), std::move(groups), std::move(weights));
    if (!made) return line.fail(made.error().text());
    plan.arrangement = std::move(made).value();
  }

  void parse_rank(Line& line) {
    Program program{schedule_.plan, 0, {}, {}, {}};
    line.need("rank");
    need_index(line, schedule_.programs.size());
    program.rank = static_cast<int>(schedule_.programs.size());
    line.need("blocks");
    program.shape.blocks = line.number<std::uint32_t>("blocks");
    line.need("segments");
    program.shape.segments = line.number<std::uint32_t>("segments a block");
    line.need("scratch");
    program.shape.scratch = line.number<std::uint32_t>("scratch segments");
    if (line.take("mirror")) {
      program.shape.mirror = line.number<std::uint32_t>("segments of the mirror");
      line.need("from");
      program.shape.mirror_first = line.number<std::uint32_t>("a segment of the vector");
    }
    schedule_.programs.push_back(std::move(program));
  }

  // Ranks and lanes come in order, without gaps.
  static void need_index(Line& line, std::size_t index) { line.need(concat(index)); }

  // The number before a step may be left out; where it stands, it is right.
  static void need_step_number(Line& line, std::size_t index) {
    const std::string_view word = line.word();
    if (word.back() == ':') line.need(concat(index, ":"));
  }

  Schedule schedule_;
  int header_lines_ = 0;
  std::size_t lane_begin_ = 0;
};

}  // namespace

Result<Schedule> parse_schedule(std::string_view text) {
  return Parser().parse(text);
}

}  // namespace rondo
