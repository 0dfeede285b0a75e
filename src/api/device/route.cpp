#include "api/device/route.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "api/device/looking.hpp"
#include "api/device/stream_handover.hpp"
#include "api/value_or_throw.hpp"
#include "base/text.hpp"
#include "plan/device_plan.hpp"

namespace rondo {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t alignment = 256;  // of buffers in workspaces: all lie alike there
constexpr std::chrono::seconds patience_with_peers(1);

std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

bool is_alone(const StreamProgram& program) {
  return std::all_of(program.steps.begin(), program.steps.end(), [](const StreamStep& step) {
    return step.waits.empty() && step.tells.empty();
  });
}

}  // namespace

DeviceRoute::DeviceRoute(DevicePath& path) : path_(path) {}

DeviceRoute::DeviceRoute(DevicePath& path, const ErasedCall& call, const BuffersInUse& used,
                         Chosen chosen, int device)
    : path_(path),
      is_of_device_(true),
      is_connected_(device == path.device()),
      call_(call),
      used_(used),
      chosen_(std::move(chosen)) {}

bool DeviceRoute::serves(const ErasedCall& call) {
  const bool is_reduction = call.collective == Collective::allreduce ||
                            call.collective == Collective::reduce ||
                            call.collective == Collective::reduce_scatter;
  return has_device_plan(call.collective) && !call.uneven && call.count > 0 &&
         (!is_reduction || is_defined(call.op, call.dtype));
}

std::shared_ptr<PendingOperation> DeviceRoute::start(DevicePath& path, Engine& engine,
                                                     Operation operation, DeviceStream stream) {
  const std::uint32_t turn = path.stream_turns + 1;
  std::uint32_t* const given = path.flags().given(path.rank());
  std::uint32_t* const taken = path.flags().taken(path.rank());
  const auto handover =
      std::make_shared<StreamHandover>(path.runtime(), stream, path.last, given, taken,
                                       StreamHandover::Turns{.before = path.stream_turns});
  operation.handover = handover;
  // First the engine: a stream that waits for an operation that was refused would wait for ever.
  std::shared_ptr<PendingOperation> pending = engine.start(std::move(operation));
  path.stream_turns = turn;
  handover->give();
  return pending;
}

std::span<const Link> DeviceRoute::links(std::span<const Link> of_program) {
  links_.assign(of_program.begin(), of_program.end());
  for (int peer = 0; peer < path_.size(); ++peer) {
    if (peer != path_.rank()) links_.push_back({peer, 0});
  }
  std::sort(links_.begin(), links_.end());
  links_.erase(std::unique(links_.begin(), links_.end()), links_.end());
  return links_;
}

DeviceRoute::Ticket DeviceRoute::own_ticket() const {
  if (!is_connected_) return {};
  const auto side = [&](const void* buffer, std::size_t bytes) {
    return bytes > 0 ? path_.find_shared(buffer, bytes) : DevicePath::Shared{-2, 0};
  };
  const auto from = reinterpret_cast<std::uintptr_t>(call_.send);
  const auto to = reinterpret_cast<std::uintptr_t>(call_.receive);
  const bool is_apart = from + used_.send_bytes <= to || to + used_.receive_bytes <= from;
  return {.has_device = 1,
          .is_in_place = is_apart ? 0u : 1u,
          .in = side(call_.send, used_.send_bytes),
          .out = side(call_.receive, used_.receive_bytes)};
}

void DeviceRoute::tell(Posting& posting, Message::Kind kind, void* (*at)(DeviceRoute&, int),
                       std::size_t bytes) {
  std::vector<Message> messages;
  for (int distance = 1; distance < path_.size(); ++distance) {
    const int peer = (path_.rank() + distance) % path_.size();
    messages.push_back({kind, peer, at(*this, peer), bytes});
  }
  posting.start(messages, *transport_);
}

void DeviceRoute::start(const Operation& operation, Transport& transport) {
  operation_ = &operation;
  transport_ = &transport;
  const auto size = static_cast<std::size_t>(path_.size());
  telling_ = {};
  arrivals_ = {};
  departures_ = {};
  is_given_ = false;
  turn_ = path_.turns + 1;
  tickets_.assign(size, {});
  tokens_.assign(size, std::byte{0});
  tickets_[static_cast<std::size_t>(path_.rank())] = own_ticket();
  stage_ = Stage::telling;
  const auto own = [](DeviceRoute& route, int) -> void* {
    return &route.tickets_[static_cast<std::size_t>(route.path_.rank())];
  };
  const auto theirs = [](DeviceRoute& route, int peer) -> void* {
    return &route.tickets_[static_cast<std::size_t>(peer)];
  };
  tell(telling_, Message::Kind::send, own, sizeof(Ticket));
  tell(telling_, Message::Kind::recv, theirs, sizeof(Ticket));
}

bool DeviceRoute::have_all_devices() const {
  return std::all_of(tickets_.begin(), tickets_.end(),
                     [](const Ticket& ticket) { return ticket.has_device != 0; });
}

Route::State DeviceRoute::advance() {
  const auto own = [](DeviceRoute& route, int) -> void* {
    return &route.tokens_[static_cast<std::size_t>(route.path_.rank())];
  };
  const auto theirs = [](DeviceRoute& route, int peer) -> void* {
    return &route.tokens_[static_cast<std::size_t>(peer)];
  };
  if (stage_ == Stage::telling) {
    if (!telling_.is_done()) return State::under_way;
    if (!have_all_devices()) {
      stage_ = Stage::over;
      return State::by_messages;
    }
    tell(arrivals_, Message::Kind::recv, theirs, 1);
    give_to_stream();
    stage_ = Stage::streams;
  }
  if (stage_ == Stage::streams) {
    if (!has_come(DeviceFlags::read(path_.flags().idle(path_.rank())), turn_)) {
      check_stream();
      return State::under_way;
    }
    // Something may have been left out: whoever stopped it tells why.
    if (DeviceFlags::read(path_.flags().stop()) != 0) return State::under_way;
    tell(departures_, Message::Kind::send, own, 1);
    stage_ = Stage::parting;
  }
  if (!arrivals_.is_done() || !departures_.is_done()) return State::under_way;
  stage_ = Stage::over;
  return State::done;
}

void DeviceRoute::check_stream() {
  if (++looks_ % looks_between_questions != 0) return;
  const Result<bool> asked = path_.runtime().is_done(path_.stream());
  path_.require(asked ? Result<>() : asked.error());
}

void DeviceRoute::add_waiting_for(std::vector<int>& peers) const {
  telling_.add_waiting_for(peers);
  arrivals_.add_waiting_for(peers);
  departures_.add_waiting_for(peers);
}

// Whoever stops all says so before it looks who is busy, and who is about to be busy says so before
// it looks whether it may: one of the two sees the other.
void DeviceRoute::give_to_stream() {
  DeviceFlags& flags = path_.flags();
  path_.turns = turn_;
  DeviceFlags::write(flags.busy(path_.rank()), turn_);
  is_given_ = true;
  if (DeviceFlags::read(flags.stop()) == 0) {
    KernelOrder* const kernels = path_.kernels();
    if (kernels != nullptr) path_.require(kernels->begin_call(turn_));
    if (!go_in_place() && !go_by_packets()) go_by_workspaces();
  }
  path_.require(path_.runtime().write_value(path_.stream(), flags.idle(path_.rank()), turn_));
}

const StreamProgram& DeviceRoute::program(std::size_t count, bool in_place) {
  return path_.program(chosen_.plan, {.count = count, .dtype = call_.dtype, .op = call_.op},
                       in_place);
}

// Where all buffers are shared. Alike on all ranks.
bool DeviceRoute::go_in_place() {
  bool in_place = false;
  BufferBases bases;
  for (int rank = 0; rank < path_.size(); ++rank) {
    const Ticket& ticket = tickets_[static_cast<std::size_t>(rank)];
    in_place |= ticket.is_in_place != 0;
    std::array<std::byte*, 3> own = {nullptr, nullptr, path_.workspace(rank)};
    for (const bool is_in : {true, false}) {
      const DevicePath::Shared at = is_in ? ticket.in : ticket.out;
      if (at.number == -2) continue;  // it has none
      if (!path_.is_shared(at)) return false;
      own[static_cast<std::size_t>(is_in ? Buffer::in : Buffer::out)] = path_.shared_at(rank, at);
    }
    bases.push_back(own);
  }
  const StreamProgram& all = program(call_.count, in_place);
  if (all.scratch_bytes > path_.workspace_bytes()) return false;
  carry_out(all, bases, call_.count, false);
  return true;
}

// What is small, where kernels wait: each rank touches its own buffers only. Alike on all ranks.
bool DeviceRoute::go_by_packets() {
  KernelOrder* const kernels = path_.kernels();
  const std::size_t bytes = call_.count * size_of(call_.dtype);
  if (kernels == nullptr || !kernels->serves(bytes)) return false;
  if (!chosen_.is_free || !has_bits_of_packets(chosen_.plan, call_.dtype, call_.op)) return false;
  const PacketExchange exchange = packets_of(call_, path_.rank(), path_.size());
  path_.require(kernels->carry_out(exchange, call_.dtype, call_.op));
  return true;
}

std::size_t DeviceRoute::blocks() const {
  return has_blocks(call_.collective) ? static_cast<std::size_t>(path_.size()) : 1;
}

std::size_t DeviceRoute::blocks_of(bool is_in) const {
  const std::size_t bytes = is_in ? used_.send_bytes : used_.receive_bytes;
  return bytes / (call_.count * size_of(call_.dtype));
}

// As many elements of each block at a time as fit, were `in` and `out` the whole vector. Alike on
// all ranks.
void DeviceRoute::go_by_workspaces() {
  const std::size_t bytes = blocks() * size_of(call_.dtype);  // of one element of each block
  const auto bytes_of = [&](std::size_t count) { return aligned(count * bytes); };
  std::size_t most = std::min(call_.count, (path_.workspace_bytes() - 2 * alignment) / (2 * bytes));
  while (most > 1 &&
         2 * bytes_of(most) + program(most, false).scratch_bytes > path_.workspace_bytes()) {
    most /= 2;
  }
  if (most == 0) {
    throw Error(ErrorCode::resource, concat("a workspace of ", path_.workspace_bytes(),
                                            " bytes is too small for ", path_.size(), " ranks"));
  }
  room_ = bytes_of(most);
  BufferBases bases;
  for (int rank = 0; rank < path_.size(); ++rank) {
    std::byte* const begin = path_.workspace(rank);
    bases.push_back({begin, begin + room_, begin + 2 * room_});
  }
  for (std::size_t first = 0; first < call_.count; first += most) {
    const std::size_t count = std::min(most, call_.count - first);
    copy_chunk(true, first, count);
    carry_out(program(count, false), bases, count, true);
    copy_chunk(false, first, count);
  }
}

// A part of each block, to or from the own workspace, where blocks lie side by side.
void DeviceRoute::copy_chunk(bool is_in, std::size_t first, std::size_t count) {
  const std::size_t element = size_of(call_.dtype);
  std::byte* const workspace = path_.workspace(path_.rank()) + (is_in ? 0 : room_);
  const void* const buffer = is_in ? call_.send : call_.receive;
  auto* const user = static_cast<std::byte*>(const_cast<void*>(buffer));
  std::vector<DeviceCopy> copies;
  for (std::size_t block = 0; block < blocks_of(is_in); ++block) {
    std::byte* const there = user + (block * call_.count + first) * element;
    std::byte* const here = workspace + block * count * element;
    copies.push_back(is_in ? DeviceCopy{here, there, count * element}
                           : DeviceCopy{there, here, count * element});
  }
  path_.require(path_.runtime().copy_all(path_.stream(), copies, path_.flags().stop()));
}

// All streams come here before any goes on.
void DeviceRoute::meet() {
  const auto step = static_cast<std::uint32_t>(++path_.steps);
  for (const bool is_waiting : {false, true}) {
    for (int peer = 0; peer < path_.size(); ++peer) {
      if (peer == path_.rank()) continue;
      DeviceRuntime& runtime = path_.runtime();
      DeviceFlags& flags = path_.flags();
      path_.require(
          is_waiting ? runtime.wait_value(path_.stream(), flags.told(path_.rank(), peer), step)
                     : runtime.write_value(path_.stream(), flags.told(peer, path_.rank()), step));
    }
  }
}

// Of `count` elements. `meets`: all ranks come to this place before any begins, and before any goes
// on.
void DeviceRoute::carry_out(const StreamProgram& program, const BufferBases& bases,
                            std::size_t count, bool meets) {
  KernelOrder* const kernels = path_.kernels();
  // Who waits for nobody leaves it to kernels that take as much of the device as they can use.
  if (kernels != nullptr && (meets || !is_alone(program)) && kernels->serves(program)) {
    const std::size_t bytes = count * blocks() * size_of(call_.dtype);
    path_.require(kernels->carry_out(program, bases,
                                     {.dtype = call_.dtype,
                                      .op = call_.op,
                                      .bytes = bytes,
                                      .meets = meets,
                                      .before = path_.steps}));
    path_.steps += program.most_steps + (meets ? 2 : 0);
    return;
  }
  if (meets) meet();
  DeviceRuntime& runtime = path_.runtime();
  DeviceFlags& flags = path_.flags();
  const auto before = static_cast<std::uint32_t>(path_.steps);
  std::uint32_t number = before;
  for (const StreamStep& step : program.steps) {
    for (const StreamStep::Await& wait : step.waits) {
      std::uint32_t* const word = flags.told(path_.rank(), wait.peer);
      path_.require(runtime.wait_value(path_.stream(), word, before + wait.steps));
    }
    carry_out(step, bases);
    ++number;
    for (const int peer : step.tells) {
      path_.require(runtime.write_value(path_.stream(), flags.told(peer, path_.rank()), number));
    }
  }
  path_.steps += program.most_steps;
  if (meets) meet();
}

void DeviceRoute::carry_out(const StreamStep& step, const BufferBases& bases) {
  const std::size_t element = size_of(call_.dtype);
  std::vector<DeviceCopy> copies;
  for (const Move& move : step.moves) {
    std::vector<const void*> sources;
    std::vector<void*> destinations;
    for (const Operand& source : move.sources) sources.push_back(place_of(bases, source));
    for (const Operand& each : move.destinations) destinations.push_back(place_of(bases, each));
    if (move.is_copy() && destinations.size() == 1) {
      if (destinations[0] != sources[0]) {
        copies.push_back({destinations[0], sources[0], move.count * element});
      }
      continue;
    }
    // What is only copied may be of any type.
    const bool is_copy = move.is_copy();
    path_.require(path_.runtime().reduce(path_.stream(),
                                         {.dtype = is_copy ? DType::u8 : call_.dtype,
                                          .op = is_copy ? Op::sum : call_.op,
                                          .sources = sources,
                                          .destinations = destinations,
                                          .count = is_copy ? move.count * element : move.count,
                                          .divisor = move.divisor,
                                          .most_blocks = 0,
                                          .stop = path_.flags().stop()}));
  }
  if (copies.empty()) return;
  path_.require(path_.runtime().copy_all(path_.stream(), copies, path_.flags().stop()));
}

// Not all ranks have device memory, which the program cannot reach.
Route::Buffers DeviceRoute::buffers() {
  if (!is_of_device_) return {operation_->in, operation_->out};
  in_host_.resize(used_.send_bytes);
  out_host_.resize(used_.receive_bytes);
  DeviceRuntime& runtime = path_.runtime();
  if (!in_host_.empty()) {
    path_.require(runtime.copy(path_.stream(), in_host_.data(), call_.send, in_host_.size()));
    path_.require(runtime.synchronize(path_.stream()));
  }
  return {in_host_.data(), result_in_host().data()};
}

std::vector<std::byte>& DeviceRoute::result_in_host() {
  const bool is_in_place = call_.send == call_.receive && !in_host_.empty();
  return is_in_place ? in_host_ : out_host_;
}

void DeviceRoute::finish_messages() {
  if (!is_of_device_) return;
  DeviceRuntime& runtime = path_.runtime();
  if (!out_host_.empty()) {
    path_.require(
        runtime.copy(path_.stream(), call_.receive, result_in_host().data(), out_host_.size()));
    path_.require(runtime.synchronize(path_.stream()));
  }
}

// Whoever may use this rank's memory has stopped, too, or has died, or is late beyond patience.
bool DeviceRoute::has_quiet_peers() const {
  for (int peer = 0; peer < path_.size(); ++peer) {
    DeviceFlags& flags = path_.flags();
    const bool is_busy = DeviceFlags::read(flags.busy(peer)) == turn_;
    if (is_busy && !has_come(DeviceFlags::read(flags.idle(peer)), turn_)) return false;
  }
  return true;
}

void DeviceRoute::abandon() noexcept {
  if (stage_ == Stage::over) return;
  stage_ = Stage::over;
  path_.stop();
  if (is_given_) {
    path_.stop_stream();
    DeviceFlags::write(path_.flags().idle(path_.rank()), turn_);
  }
  const auto deadline = steady_clock::now() + patience_with_peers;
  look_until(deadline, [&] { return has_quiet_peers(); });
}

}  // namespace rondo
