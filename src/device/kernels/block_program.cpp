#include "device/kernels/block_program.hpp"

#include <algorithm>
#include <cstring>

#include "base/text.hpp"

namespace rondo {

namespace {

template <class Value>
std::byte* put(std::byte* to, const std::vector<Value>& values) {
  const std::size_t bytes = values.size() * sizeof(Value);
  if (bytes > 0) std::memcpy(to, values.data(), bytes);
  return to + bytes;
}

Error refusal(const std::string& text) {
  return Error(ErrorCode::invalid_argument, concat("a program on a device: ", text));
}

}  // namespace

Result<ProgramArguments> arguments_of(const DeviceProgram& program) {
  const std::size_t ranks = program.words.size();
  if (ranks < 1 || ranks > DeviceProgram::most_ranks) {
    return refusal(concat(ranks, " ranks, but 1 to ", DeviceProgram::most_ranks, " are possible"));
  }
  if (program.slices < 1) return refusal("it has no slices");
  if (program.piece_bytes == 0 || program.piece_bytes % vector_bytes != 0) {
    return refusal(concat("pieces of ", program.piece_bytes, " bytes"));
  }
  if (!is_defined(program.op, program.dtype)) {
    return Error(ErrorCode::unsupported, concat("a program on a device: there is no ",
                                                name(program.op), " of ", name(program.dtype)));
  }
  ProgramArguments arguments = {};
  arguments.memory = program.memory;
  arguments.counts = *program.counts;
  std::copy(program.words.begin(), program.words.end(), arguments.words);
  arguments.rank = static_cast<std::uint32_t>(program.rank);
  arguments.ranks = static_cast<std::uint32_t>(ranks);
  arguments.slices = static_cast<std::uint32_t>(program.slices);
  arguments.piece_bytes = program.piece_bytes;
  arguments.before = program.before;
  arguments.stop = program.stop;
  return arguments;
}

void BlockProgram::wait(int peer, std::uint32_t steps) {
  waits_.push_back({static_cast<std::uint32_t>(peer), steps});
}

void BlockProgram::tell(int peer, std::uint32_t steps) {
  tells_.push_back({static_cast<std::uint32_t>(peer), steps});
}

Result<> BlockProgram::move(const DeviceReduction& reduction) {
  const Result<ReduceArguments> made = arguments_of(reduction);
  if (!made) return made.error();
  const ReduceArguments& arguments = made.value();
  moves_.push_back({.count = arguments.count,
                    .head = arguments.head,
                    .first_place = static_cast<std::uint32_t>(places_.size()),
                    .source_count = static_cast<std::uint16_t>(arguments.source_count),
                    .destination_count = static_cast<std::uint16_t>(arguments.destination_count),
                    .divisor = arguments.divisor,
                    .access = arguments.access});
  places_.insert(places_.end(), reduction.sources.begin(), reduction.sources.end());
  places_.insert(places_.end(), reduction.destinations.begin(), reduction.destinations.end());
  return {};
}

void BlockProgram::end_step() {
  steps_.push_back({static_cast<std::uint32_t>(waits_.size()),
                    static_cast<std::uint32_t>(moves_.size()),
                    static_cast<std::uint32_t>(tells_.size())});
}

BlockCounts BlockProgram::counts() const {
  return {static_cast<std::uint32_t>(places_.size()), static_cast<std::uint32_t>(moves_.size()),
          steps(), static_cast<std::uint32_t>(waits_.size()),
          static_cast<std::uint32_t>(tells_.size())};
}

std::vector<std::byte> BlockProgram::bytes() const {
  std::vector<std::byte> made(counts().bytes());
  std::byte* end = put(made.data(), places_);
  end = put(end, moves_);
  end = put(end, steps_);
  end = put(end, waits_);
  put(end, tells_);
  return made;
}

}  // namespace rondo
