// The trace event format of Chrome: https://ui.perfetto.dev reads it.

#include <iomanip>
#include <sstream>

#include "base/text.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

namespace {

std::string segments_of(const Program& program, const Step& step) {
  if (step.op == StepOp::reduce || step.count == 1) return concat(step.about);
  return concat(step.about, "-", (step.about + step.count - 1) % program.vector_segments());
}

std::string title_of(const Step& step, const std::string& segments) {
  switch (step.op) {
    case StepOp::send:
      return concat("send ", segments, " to ", step.peer);
    case StepOp::recv:
      return concat(step.accumulates() ? "add " : "recv ", segments, " from ", step.peer);
    case StepOp::copy:
      return concat("copy ", segments);
    case StepOp::reduce:
      return concat("reduce ", segments);
  }
  return {};
}

std::string_view kind_of(const Step& step) {
  switch (step.op) {
    case StepOp::send:
      return "send";
    case StepOp::recv:
      return "recv";
    default:
      return "local";
  }
}

}  // namespace

std::string to_chrome_trace(const Schedule& schedule, const std::vector<StepTime>& steps) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(6) << "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
  for (const Program& program : schedule.programs) {
    out << "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":" << program.rank
        << ",\"args\":{\"name\":\"rank " << program.rank << "\"}},\n";
    for (int lane = 0; lane < program.lanes(); ++lane) {
      out << "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":" << program.rank
          << ",\"tid\":" << lane << ",\"args\":{\"name\":\"lane " << lane << "\"}},\n";
    }
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepTime& time = steps[i];
    const Program& program = schedule.programs[time.rank];
    const Step& step = program.lane(static_cast<int>(time.lane))[time.step];
    const std::string segments = segments_of(program, step);
    out << "{\"ph\":\"X\",\"name\":\"" << title_of(step, segments) << "\",\"cat\":\""
        << kind_of(step) << "\",\"pid\":" << time.rank << ",\"tid\":" << time.lane
        << ",\"ts\":" << time.begin_s * 1e6 << ",\"dur\":" << (time.end_s - time.begin_s) * 1e6
        << ",\"args\":{\"step\":" << time.step << ",\"segment\":\"" << segments << "\"}}"
        << (i + 1 < steps.size() ? ",\n" : "\n");
  }
  out << "]}\n";
  return out.str();
}

}  // namespace rondo
