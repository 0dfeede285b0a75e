#include "api/arguments.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>

#include "api/refuse.hpp"
#include "base/text.hpp"

namespace rondo {

namespace {

constexpr auto most_bytes = static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max());

// Bindings make calls out of numbers.
template <class Enum>
void check_kind(const char* what, Enum value, int count) {
  const auto number = static_cast<int>(value);
  if (number < 0 || number >= count) {
    refuse(concat("there is no ", what, " number ", number, "; they run from 0 to ", count - 1));
  }
}

// A buffer of a call on one rank.
struct Side {
  const char* name = "";
  const std::byte* data = nullptr;
  bool is_used = true;
  bool is_vector = false;  // has a block for each rank
  std::size_t bytes = 0;
  std::size_t own_begin = 0;  // bytes before the own block of a vector
};

class Check {
 public:
  Check(const ErasedCall& call, int rank, int size)
      : call_(call),
        rank_(static_cast<std::size_t>(rank)),
        size_(static_cast<std::size_t>(size)),
        element_(size_of(call.dtype)) {
    const bool is_root = rank == call.root;
    const Collective collective = call.collective;
    const bool is_alltoall = collective == Collective::alltoall;
    send_.name = "send";
    send_.data = static_cast<const std::byte*>(call.send);
    send_.is_used =
        is_root || (collective != Collective::broadcast && collective != Collective::scatter);
    send_.is_vector = gets_own_block(collective) || is_alltoall;
    receive_.name = "receive";
    receive_.data = static_cast<const std::byte*>(call.receive);
    receive_.is_used =
        is_root || (collective != Collective::reduce && collective != Collective::gather);
    if (collective == Collective::exscan && rank == 0) receive_.is_used = false;
    receive_.is_vector = gives_own_block(collective) || is_alltoall;
  }

  BuffersInUse run() {
    if (call_.collective == Collective::barrier) return {};
    measure(send_, call_.send_blocks);
    measure(receive_, call_.receive_blocks);
    for (const Side* side : {&send_, &receive_}) {
      if (side->is_used && side->bytes > 0 && side->data == nullptr) {
        refuse(concat(title(), ": the ", side->name, " buffer is null, but count is ",
                      call_.uneven ? side->bytes / element_ : call_.count));
      }
    }
    if (call_.uneven) check_uneven();
    check_overlap();
    return {send_.is_used ? send_.bytes : 0, receive_.is_used ? receive_.bytes : 0,
            receive_.own_begin - send_.own_begin};
  }

 private:
  std::string title() const { return concat(name(call_.collective), call_.uneven ? "v" : ""); }

  std::size_t in_bytes(std::size_t elements, std::size_t times) const {
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(elements, times * element_, &bytes) || bytes > most_bytes) {
      refuse(concat(title(), ": ", elements, " elements a rank exceed the memory"));
    }
    return bytes;
  }

  void measure(Side& side, const Blocks& blocks) const {
    if (!side.is_used) return;
    if (!call_.uneven || !side.is_vector) {
      side.bytes = in_bytes(call_.count, side.is_vector ? size_ : 1);
      side.own_begin = side.is_vector ? rank_ * call_.count * element_ : 0;
      return;
    }
    if (blocks.counts.size() != size_) {
      refuse(concat(title(), ": the ", side.name, " buffer has ", size_,
                    " blocks, one a rank, not ", blocks.counts.size()));
    }
    if (!blocks.displacements.empty() && blocks.displacements.size() != size_) {
      refuse(concat(title(), ": ", blocks.displacements.size(), " displacements do not fit ", size_,
                    " blocks"));
    }
    std::size_t begin = 0;
    for (std::size_t r = 0; r < size_; ++r) {
      if (!blocks.displacements.empty()) begin = blocks.displacements[r];
      if (r == rank_) side.own_begin = begin * element_;
      if (blocks.counts[r] > most_bytes || begin > most_bytes) begin = most_bytes;
      begin += blocks.counts[r];
      side.bytes = std::max(side.bytes, in_bytes(begin, 1));
    }
  }

  void check_uneven() const {
    for (const Side* side : {&send_, &receive_}) {
      if (!side->is_used || !side->is_vector) continue;
      const Blocks& blocks = side == &send_ ? call_.send_blocks : call_.receive_blocks;
      if (call_.collective != Collective::alltoall && blocks.counts[rank_] != call_.count) {
        refuse(concat(title(), ": the own block has ", call_.count, " elements, but its entry of ",
                      "the counts, number ", rank_, ", is ", blocks.counts[rank_]));
      }
    }
    if (call_.collective == Collective::reduce_scatter &&
        !call_.send_blocks.displacements.empty()) {
      refuse("reduce_scatterv: its blocks lie one after the other; it has no displacements");
    }
    if (receive_.is_used && receive_.is_vector) check_apart(call_.receive_blocks);
    if (call_.collective != Collective::alltoall) return;
    const std::size_t given = call_.send_blocks.counts[rank_];
    const std::size_t got = call_.receive_blocks.counts[rank_];
    if (given != got) {
      refuse(concat("alltoallv: this rank sends itself ", given, " elements, but expects ", got,
                    " from itself"));
    }
  }

  // Blocks that are received into have no element in common.
  void check_apart(const Blocks& blocks) const {
    if (blocks.displacements.empty()) return;
    std::vector<std::size_t> order(size_);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::erase_if(order, [&](std::size_t r) { return blocks.counts[r] == 0; });
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return blocks.displacements[a] < blocks.displacements[b];
    });
    for (std::size_t i = 1; i < order.size(); ++i) {
      const std::size_t before = order[i - 1];
      if (blocks.displacements[before] + blocks.counts[before] <= blocks.displacements[order[i]]) {
        continue;
      }
      refuse(
          concat(title(), ": the receive blocks of ranks ", before, " and ", order[i], " overlap"));
    }
  }

  void check_overlap() const {
    if (!send_.is_used || !receive_.is_used || send_.bytes == 0 || receive_.bytes == 0) return;
    const auto send = reinterpret_cast<std::uintptr_t>(send_.data);
    const auto receive = reinterpret_cast<std::uintptr_t>(receive_.data);
    if (send >= receive + receive_.bytes || receive >= send + send_.bytes) return;
    const bool one_is_block = send_.is_vector != receive_.is_vector;
    if (!one_is_block) {
      if (send == receive && has_same_blocks()) return;
      refuse(concat(title(), ": send and receive buffer overlap; they must be apart, or in place ",
                    "(the same memory", call_.uneven ? " and the same blocks)" : ")"));
    }
    if (send + send_.own_begin == receive + receive_.own_begin) return;
    refuse(concat(title(), ": send and receive buffer overlap; they must be apart, or in place ",
                  "(the smaller one at block rank() of the other)"));
  }

  bool has_same_blocks() const {
    const auto same = [](Counts a, Counts b) {
      return std::equal(a.begin(), a.end(), b.begin(), b.end());
    };
    return same(call_.send_blocks.counts, call_.receive_blocks.counts) &&
           same(call_.send_blocks.displacements, call_.receive_blocks.displacements);
  }

  const ErasedCall& call_;
  std::size_t rank_;
  std::size_t size_;
  std::size_t element_;
  Side send_;
  Side receive_;
};

std::string words(const Message& message) {
  return concat(message.kind == Message::Kind::send ? "send of " : "recv of ", message.count, " ",
                name(message.dtype), message.kind == Message::Kind::send ? " to " : " from ",
                message.peer);
}

void check_message(const Message& message, int size) {
  check_kind("kind of message", message.kind, 2);
  check_kind("dtype", message.dtype, dtype_count);
  if (message.peer < 0 || message.peer >= size) {
    refuse(concat(words(message), ": there is no such rank; they run from 0 to ", size - 1));
  }
  if (message.count > most_bytes / size_of(message.dtype)) {
    refuse(concat(words(message), ": these elements exceed the memory"));
  }
  if (message.count > 0 && message.data == nullptr) {
    refuse(concat(words(message), ": the buffer is null"));
  }
}

// The i-th message to oneself meets the i-th from oneself.
void check_own(const std::vector<Message>& messages, int rank) {
  std::vector<const Message*> sends;
  std::vector<const Message*> recvs;
  for (const Message& message : messages) {
    if (message.peer != rank) continue;
    (message.kind == Message::Kind::send ? sends : recvs).push_back(&message);
  }
  if (sends.size() != recvs.size()) {
    refuse(concat("rank ", rank, " sends itself ", sends.size(), " messages, but receives ",
                  recvs.size(), " in the same exchange"));
  }
  for (std::size_t i = 0; i < sends.size(); ++i) {
    if (sends[i]->count == recvs[i]->count && sends[i]->dtype == recvs[i]->dtype) continue;
    refuse(concat("messages to oneself must agree in size and type: ", words(*sends[i]), " meets ",
                  words(*recvs[i])));
  }
}

// What is received into has no byte in common with any other buffer.
void check_apart(std::vector<Message> messages) {
  std::erase_if(messages, [](const Message& message) { return message.count == 0; });
  const auto begin = [](const Message& m) { return reinterpret_cast<std::uintptr_t>(m.data); };
  const auto end = [&](const Message& m) { return begin(m) + m.count * size_of(m.dtype); };
  std::sort(messages.begin(), messages.end(),
            [&](const Message& a, const Message& b) { return begin(a) < begin(b); });
  const Message* reaching[2] = {nullptr, nullptr};  // of each kind, the one that ends last
  for (const Message& message : messages) {
    for (const Message* before : reaching) {
      if (before == nullptr || end(*before) <= begin(message)) continue;
      if (before->kind == Message::Kind::send && message.kind == Message::Kind::send) continue;
      refuse(
          concat("the buffers of two messages overlap: ", words(*before), " and ", words(message)));
    }
    const Message*& furthest = reaching[message.kind == Message::Kind::recv ? 1 : 0];
    if (furthest == nullptr || end(*furthest) < end(message)) furthest = &message;
  }
}

void check_reduction(const ErasedCall& call) {
  if (!is_defined(call.op, call.dtype)) {
    const char* kind = call.op <= Op::bxor ? "bitwise" : "logical";
    refuse(concat(name(call.collective), ": ", name(call.op), ", a ", kind,
                  " operation, is defined for integers only, not for ", name(call.dtype)));
  }
  if (call.op == Op::avg && reduces_prefix(call.collective)) {
    refuse(concat(name(call.collective), ": avg has no one number of ranks to divide by; use sum, ",
                  "and divide by ", call.collective == Collective::scan ? "rank() + 1" : "rank()"));
  }
}

}  // namespace

BuffersInUse check_arguments(const ErasedCall& call, int rank, int size) {
  check_kind("collective", call.collective, collective_count);
  check_kind("dtype", call.dtype, dtype_count);
  check_kind("op", call.op, op_count);
  if (call.root < 0 || call.root >= size) {
    refuse(concat(name(call.collective), ": root ", call.root, " is outside 0…", size - 1));
  }
  if (call.uneven && !has_blocks(call.collective)) {
    refuse(concat(name(call.collective), " has no blocks that could differ in length"));
  }
  if (reduces_all(call.collective) || reduces_prefix(call.collective)) check_reduction(call);
  return Check(call, rank, size).run();
}

void check_arguments(const std::vector<Message>& messages, int rank, int size) {
  for (const Message& message : messages) check_message(message, size);
  check_own(messages, rank);
  check_apart(messages);
}

namespace erase {

void require_equal(const char* what, std::size_t left, const char* with, std::size_t right) {
  if (left != right) refuse(concat(what, " (", left, ") must equal ", with, " (", right, ")"));
}

void require_blocks(const char* what, const Blocks& blocks, std::size_t elements, Caller caller) {
  if (blocks.counts.size() != caller.ranks()) {
    refuse(
        concat(what, " counts: there are ", blocks.counts.size(), " for ", caller.size, " ranks"));
  }
  if (!blocks.displacements.empty() && blocks.displacements.size() != caller.ranks()) {
    refuse(concat(what, " displacements: there are ", blocks.displacements.size(), " for ",
                  caller.size, " ranks"));
  }
  if (blocks.displacements.empty()) {
    std::size_t sum = 0;
    for (const std::size_t count : blocks.counts) {
      sum = count > most_bytes - sum ? most_bytes : sum + count;
    }
    require_equal(concat(what, " elements").c_str(), elements, "the sum of its counts", sum);
    return;
  }
  for (std::size_t r = 0; r < caller.ranks(); ++r) {
    const std::size_t begin = blocks.displacements[r];
    if (begin <= elements && blocks.counts[r] <= elements - begin) continue;
    refuse(concat(what, " buffer: the block of rank ", r, ", ", blocks.counts[r], " elements from ",
                  begin, " on, exceeds its ", elements, " elements"));
  }
}

std::size_t begin_of_block(const Blocks& blocks, std::size_t rank) {
  if (!blocks.displacements.empty()) return blocks.displacements[rank];
  return std::accumulate(blocks.counts.begin(),
                         blocks.counts.begin() + static_cast<std::ptrdiff_t>(rank), std::size_t{0});
}

}  // namespace erase

}  // namespace rondo
