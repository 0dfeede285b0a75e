#include "transport/conformance/session.hpp"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

namespace rondo::conformance {

namespace {

constexpr std::size_t guard_bytes = 64;
constexpr auto guard_value = std::byte{0x5a};
constexpr auto untouched_value = std::byte{0xa5};  // in receive buffers before the message
constexpr auto returned_value = std::byte{0xee};   // in send buffers after the message

std::byte pattern(std::uint64_t seed, std::size_t index) {
  return static_cast<std::byte>(seed + index * 131 + (index >> 8) * 29 + (index >> 16) * 53);
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t x = (a ^ (b + 0x9e3779b97f4a7c15u)) * 0xbf58476d1ce4e5b9u;
  return x ^ (x >> 29);
}

}  // namespace

const Options& Rank::options() const {
  return session_.options_;
}

void Rank::begin(const std::vector<Link>& links, const Call& call) {
  posted_.clear();
  const Result<> begun = transport_.begin(++sequence_, call, links);
  require(begun.ok(), "begin() of operation ", sequence_,
          " failed: ", begun.ok() ? "" : begun.error().text());
}

Message& Rank::send(Link link, std::size_t size) {
  return post(Transfer::Kind::send, link, size, false);
}
Message& Rank::recv(Link link, std::size_t size) {
  return post(Transfer::Kind::recv, link, size, false);
}
Message& Rank::borrow(Link link, std::size_t size) {
  return post(Transfer::Kind::recv, link, size, true);
}

std::uint64_t Rank::next_seed(Transfer::Kind kind, Link link) {
  const bool sends = kind == Transfer::Kind::send;
  const auto from = static_cast<std::uint64_t>(sends ? rank() : link.peer);
  const auto to = static_cast<std::uint64_t>(sends ? link.peer : rank());
  const std::uint64_t place = posted_[{kind, link}]++;
  return mix(mix(mix(mix(mix(salt_, from), to), link.channel), sequence_), place);
}

bool Rank::make(Link link, std::size_t size) {
  Transfer transfer;
  transfer.link = link;
  transfer.size = size;
  transfer.borrow = true;
  transport_.post(transfer);
  if (transfer.state == Transfer::State::idle) return false;
  require(transfer.state == Transfer::State::part && transfer.data != nullptr,
          "room for a message is there at once, or not at all");
  const std::uint64_t seed = next_seed(Transfer::Kind::send, link);
  for (std::size_t i = 0; i < size; ++i) transfer.data[i] = pattern(seed, i);
  require(transport_.release(transfer) && transfer.state == Transfer::State::done,
          "a message made in its room is not done after its release");
  return true;
}

Message& Rank::post(Transfer::Kind kind, Link link, std::size_t size, bool borrow) {
  Message& message = messages_.emplace_back();
  const bool sends = kind == Transfer::Kind::send;
  message.seed = next_seed(kind, link);
  if (!borrow) {
    message.memory.assign(size + 2 * guard_bytes, guard_value);
    std::byte* data = message.memory.data() + guard_bytes;
    for (std::size_t i = 0; i < size; ++i) {
      data[i] = sends ? pattern(message.seed, i) : untouched_value;
    }
    message.transfer.data = data;
  }
  message.transfer.kind = kind;
  message.transfer.link = link;
  message.transfer.size = size;
  message.transfer.borrow = borrow;
  transport_.post(message.transfer);
  require(message.transfer.state != Transfer::State::idle, "post() left the ", label(message),
          " idle");
  return message;
}

std::string Rank::label(const Message& message) const {
  const Transfer& transfer = message.transfer;
  const bool sends = transfer.kind == Transfer::Kind::send;
  return concat(sends             ? "send to"
                : transfer.borrow ? "borrow from"
                                  : "recv from",
                " rank ", transfer.link.peer, " on channel ", int{transfer.link.channel}, " of ",
                transfer.size, " bytes in operation ", sequence_);
}

bool Rank::done(const Message& message) const {
  return message.retired ||
         message.transfer.state.load(std::memory_order_acquire) == Transfer::State::done;
}

void Rank::await_done(const Transfer& transfer, const std::string& what) {
  until([&] { return transfer.state.load(std::memory_order_acquire) == Transfer::State::done; },
        what);
}

void Rank::await_borrow(Transfer& transfer, const std::string& what,
                        const std::function<void(std::size_t, std::span<const std::byte>)>& take) {
  for (bool is_done = false; !is_done;) {
    until([&] { return transfer.state.load(std::memory_order_acquire) >= Transfer::State::part; },
          what);
    is_done = transfer.state == Transfer::State::done;
    const std::size_t count = is_done ? transfer.size - transfer.offset : transfer.part;
    take(transfer.offset, {transfer.data, count});
    require(transport_.release(transfer), what, ": taken back");
  }
}

// What lies at `data`: of a borrow that came in parts, the last one.
std::span<const std::byte> Rank::bytes(const Message& message) const {
  return {message.transfer.data, message.transfer.size - message.transfer.offset};
}

// Parts of messages that the check borrows: each is checked, and gives way to the next one.
void Rank::take_parts() {
  for (Message& message : messages_) {
    Transfer& transfer = message.transfer;
    if (!transfer.borrow || transfer.state.load(std::memory_order_acquire) != Transfer::State::part)
      continue;
    require(transfer.part > 0 && transfer.part < transfer.size - transfer.offset, label(message),
            ": a part of ", transfer.part, " bytes at ", transfer.offset);
    require(transfer.offset == message.passed, label(message), ": a part begins at ",
            transfer.offset, " instead of ", message.passed);
    check_bytes(message, {transfer.data, transfer.part});
    message.passed += transfer.part;
    require(transport_.release(transfer), label(message), ": taken back");
  }
}

void Rank::check_bytes(const Message& message) {
  check_bytes(message, bytes(message));
}

void Rank::check_bytes(const Message& message, std::span<const std::byte> found) {
  const std::size_t offset = message.transfer.offset;
  require(found.empty() || found.data() != nullptr, label(message), ": done without bytes");
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] != pattern(message.seed, offset + i))
      fail(concat(label(message), ": byte ", offset + i, " is wrong"));
  }
}

void Rank::check_guards(const Message& message) {
  const auto& memory = message.memory;
  if (memory.empty()) return;
  const bool intact = std::all_of(memory.begin(), memory.begin() + guard_bytes,
                                  [](std::byte b) { return b == guard_value; }) &&
                      std::all_of(memory.end() - guard_bytes, memory.end(),
                                  [](std::byte b) { return b == guard_value; });
  require(intact, label(message), ": bytes outside of the message were written");
}

void Rank::complete(Message& message) {
  until([&] { return done(message); }, label(message));
  if (!message.retired) retire(message);
}

void Rank::complete_all() {
  for (Message& message : messages_) complete(message);
}

void Rank::complete_all(const std::function<void()>& meanwhile) {
  for (Message& message : messages_) {
    until(
        [&] {
          if (!done(message)) meanwhile();
          return done(message);
        },
        label(message));
    complete(message);
  }
}

// Checks a completed message, and prepares to notice if it is touched again.
void Rank::retire(Message& message) {
  require(message.transfer.offset == message.passed, label(message), ": the rest begins at ",
          message.transfer.offset, " instead of ", message.passed);
  check_bytes(message);
  check_guards(message);
  if (message.transfer.kind == Transfer::Kind::send) {
    std::fill_n(message.transfer.data, message.transfer.size, returned_value);
  }
  message.retired = true;
  if (!message.transfer.borrow) message.transfer.state = Transfer::State::idle;
}

void Rank::require_bytes(const Message& message) {
  check_bytes(message);
}

void Rank::release(Message& message) {
  require(transport_.release(message.transfer), label(message), ": taken back");
  message.transfer.data = nullptr;
  message.transfer.state = Transfer::State::idle;
}

void Rank::overwrite(Message& message) {
  std::fill_n(message.transfer.data, message.transfer.size, returned_value);
}

void Rank::require_overwritten(const Message& message) {
  const auto found = bytes(message);
  const bool intact =
      std::all_of(found.begin(), found.end(), [](std::byte b) { return b == returned_value; });
  require(intact, label(message), ": written after cancel()");
  check_guards(message);
}

Rank& Rank::split(const std::vector<int>& members, std::uint64_t context) {
  Result<std::unique_ptr<Transport>> child = transport_.split(members, context);
  require(child.ok(), "split() failed: ", child.ok() ? "" : child.error().text());
  Rank& made = session_.adopt(std::move(child).value(), mix(salt_, context));
  require(made.size() == static_cast<int>(members.size()), "the child has size ", made.size(),
          " instead of ", members.size());
  require(members[static_cast<std::size_t>(made.rank())] == rank(), "has rank ", made.rank(),
          " in the child instead of its place among the members");
  return made;
}

void Rank::audit() {
  for (const Message& message : messages_) {
    const bool borrowed = message.transfer.borrow && message.transfer.data != nullptr;
    if (!message.retired || borrowed) continue;
    require(message.transfer.state == Transfer::State::idle, label(message),
            ": touched again after it was done");
    check_guards(message);
    if (message.transfer.kind == Transfer::Kind::recv && !message.transfer.borrow) {
      check_bytes(message);
    }
  }
}

void Rank::poll(std::chrono::milliseconds patience) {
  const Result<bool> moved = transport_.poll(patience);
  if (!moved && session_.stopped_) throw Stop();  // the consequence of another rank's failure
  if (!moved) fail(concat("unexpected ", name(moved.error().code()), ": ", moved.error().text()));
  take_parts();
}

void Rank::until(const std::function<bool()>& holds, const std::string& what) {
  const auto give_up = Transport::Clock::now() + options().deadline;
  while (!holds()) {
    if (session_.stopped_) throw Stop();
    require(Transport::Clock::now() < give_up, "waited in vain for: ", what);
    poll(std::chrono::milliseconds(5));
  }
}

Error Rank::await_error() {
  const std::optional<Error> error = await_error_for(options().deadline);
  require(error.has_value(), "waited in vain for an error of poll()");
  return *error;
}

std::optional<Error> Rank::await_error_for(std::chrono::milliseconds time) {
  const auto end = Transport::Clock::now() + time;
  while (Transport::Clock::now() < end) {
    const Result<bool> moved = transport_.poll(std::chrono::milliseconds(5));
    if (!moved) return moved.error();
    if (session_.stopped_) throw Stop();
  }
  return std::nullopt;
}

Error Rank::end_operation(const Error& finding, const std::vector<int>& waiting_for) {
  const auto begun = Transport::Clock::now();
  const Error verdict = transport_.conclude(finding, waiting_for);
  transport_.cancel();
  require(Transport::Clock::now() - begun < options().long_sleep / 2,
          "conclude() and cancel() took too long");
  return verdict;
}

void Rank::reach(int stage) {
  session_.stage_of(rank()) = stage;
}

void Rank::await(int other, int stage) {
  until([&] { return session_.stage_of(other) >= stage; },
        concat("rank ", other, " to reach stage ", stage));
}

void Rank::await_asleep(int other, int stage) {
  const auto give_up = Transport::Clock::now() + 2 * options().deadline;
  while (session_.stage_of(other) < stage) {
    if (session_.stopped_) throw Stop();
    require(Transport::Clock::now() < give_up, "waited in vain for rank ", other,
            " to reach stage ", stage);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Rank::idle(std::chrono::milliseconds time) {
  const auto end = Transport::Clock::now() + time;
  while (Transport::Clock::now() < end) {
    if (session_.stopped_) throw Stop();
    poll(std::chrono::milliseconds(1));
  }
}

void Rank::leave() {
  session_.world_[static_cast<std::size_t>(rank())].reset();
}

void Rank::fail(const std::string& what) {
  session_.record(concat("rank ", rank(), " of ", size(), ": ", what));
  throw Stop();
}

Session::Session(const Factory& factory, const Options& options, int ranks)
    : options_(options),
      world_(factory(ranks)),
      own_stages_(static_cast<std::size_t>(ranks)),
      stopped_(options.processes != nullptr ? *options.processes->stopped : own_stopped_) {
  for (const auto& transport : world_) {
    if (transport) ranks_.emplace_back(*this, *transport, 0);
  }
  if (options_.processes == nullptr) return;
  // Nobody looks at what the last check left there.
  options_.processes->barrier();
  for (int rank = 0; rank < ranks; ++rank) stage_of(rank) = 0;
  stopped_ = false;
  options_.processes->barrier();
}

std::atomic<int>& Session::stage_of(int rank) {
  const auto place = static_cast<std::size_t>(rank);
  return options_.processes != nullptr ? options_.processes->stages[place] : own_stages_[place];
}

Rank& Session::rank_at(int index) {
  const std::lock_guard lock(mutex_);
  return *std::find_if(ranks_.begin(), ranks_.end(),
                       [index](const Rank& rank) { return rank.rank() == index; });
}

// Transports may look into the messages until they are gone; the messages go last.
Session::~Session() {
  children_.clear();
  world_.clear();
}

Rank& Session::adopt(std::unique_ptr<Transport> transport, std::uint64_t salt) {
  const std::lock_guard lock(mutex_);
  children_.push_back(std::move(transport));
  return ranks_.emplace_back(*this, *children_.back(), salt);
}

void Session::record(const std::string& failure) {
  const std::lock_guard lock(mutex_);
  failures_.push_back(failure);
  stopped_ = true;
}

void Session::run_rank(int index, const std::function<void(Rank&)>& body) {
  Rank& rank = rank_at(index);
  try {
    body(rank);
    return;
  } catch (const Stop&) {
  } catch (const std::exception& error) {
    record(concat("rank ", index, " ended with an exception: ", error.what()));
  }
  if (const auto& transport = world_[static_cast<std::size_t>(index)]) transport->cancel();
}

Failures Session::run(const std::function<void(Rank&)>& body) {
  std::vector<std::jthread> threads;
  for (int index = 0; index < static_cast<int>(world_.size()); ++index) {
    if (!world_[static_cast<std::size_t>(index)]) continue;
    if (options_.processes != nullptr) {
      run_rank(index, body);  // here: this may be the only thread that its network permits
    } else {
      threads.emplace_back([this, index, &body] { run_rank(index, body); });
    }
  }
  threads.clear();
  if (options_.processes != nullptr) options_.processes->barrier();
  if (failures_.empty()) {
    for (Rank& rank : ranks_) {
      try {
        rank.audit();
      } catch (const Stop&) {
      }
    }
  }
  return failures_;
}

Failures on_ranks(const Factory& factory, const Options& options, int ranks,
                  const std::function<void(Rank&)>& body) {
  return Session(factory, options, ranks).run(body);
}

void append(Failures& to, const Failures& from) {
  to.insert(to.end(), from.begin(), from.end());
}

std::vector<Link> links_to_all(const Rank& rank, int channel) {
  std::vector<Link> links;
  for (int peer = 0; peer < rank.size(); ++peer) {
    if (peer != rank.rank()) links.push_back({peer, static_cast<std::uint8_t>(channel)});
  }
  return links;
}

}  // namespace rondo::conformance
