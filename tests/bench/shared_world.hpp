#pragma once

// A library that is right by being simple: ranks are threads that read each other's inputs, and
// reduce them in rank order. It can be told to be wrong in one way.

#include <barrier>
#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench/library.hpp"
#include "execute/reduction.hpp"

namespace rondo::bench::testing {

enum class Fault {
  none,
  wrong_element,         ///< one bit of the middle of one rank's result
  shifted,               ///< results moved by one element
  missing_contribution,  ///< the last rank's
  doubled_contribution,  ///< the last rank's, instead of the first rank's
  past_the_end,          ///< one byte more is written
  input_changed,
  unasked_receiver,      ///< a rank that is not the root gets something
  last_bit_of_one_rank,  ///< right within rounding, but not the same everywhere
  other_bits_next_time,  ///< right within rounding, but not the same twice
};

class SharedWorld {
 public:
  SharedWorld(int ranks, Fault told)
      : fault(told), meeting(ranks), inputs(static_cast<std::size_t>(ranks)) {}

  const Fault fault;
  std::barrier<> meeting;
  std::vector<std::vector<std::byte>> inputs;
};

class SharedLibrary final : public Library {
 public:
  SharedLibrary(SharedWorld& world, int rank) : world_(world), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(world_.inputs.size()); }
  std::string name() const override { return "threads that share memory"; }

  void run(const ErasedCall& call) override {
    const Case c = {call.collective, call.dtype, call.op, call.root, size(), call.count, false};
    const std::size_t element = size_of(call.dtype);
    std::vector<std::byte>& input = world_.inputs[index(rank_)];
    const auto* send = static_cast<const std::byte*>(call.send);
    if (c.collective != Collective::barrier) {
      input.assign(send, send + c.send_elements() * element);
    }
    world_.meeting.arrive_and_wait();
    // The suite's own calls, which are small, stay right.
    const Fault fault = call.count >= smallest_faulty ? world_.fault : Fault::none;
    carry_out(c, fault, static_cast<std::byte*>(call.receive));
    if (fault != Fault::none) break_result(c, fault, call);
    world_.meeting.arrive_and_wait();
  }

  // The first message is sent, the second one is received.
  void exchange(const std::vector<Message>& messages) override {
    const Message& sent = messages.at(0);
    const Message& received = messages.at(1);
    const std::size_t bytes = sent.count * size_of(sent.dtype);
    const auto* send = static_cast<const std::byte*>(sent.data);
    world_.inputs[index(rank_)].assign(send, send + bytes);
    world_.meeting.arrive_and_wait();
    auto* const receive = static_cast<std::byte*>(received.data);
    std::memcpy(receive, input_of(received.peer), bytes);
    if (world_.fault == Fault::wrong_element && rank_ == 0) receive[bytes / 2] ^= std::byte{1};
    world_.meeting.arrive_and_wait();
  }

  static constexpr std::size_t smallest_faulty = 5;

 private:
  static std::size_t index(int rank) { return static_cast<std::size_t>(rank); }

  const std::byte* input_of(int rank) const { return world_.inputs[index(rank)].data(); }

  void carry_out(const Case& c, Fault fault, std::byte* receive) const {
    const std::size_t block = c.count * size_of(c.dtype);
    switch (*c.collective) {
      case Collective::allreduce:
        return reduce_block(c, fault, 0, receive);
      case Collective::reduce:
        if (rank_ == c.root) reduce_block(c, fault, 0, receive);
        return;
      case Collective::reduce_scatter:
        return reduce_block(c, fault, index(rank_) * block, receive);
      case Collective::broadcast:
        std::memcpy(receive, input_of(c.root), block);
        return;
      case Collective::scan:
      case Collective::exscan: {
        const int last = c.collective == Collective::scan ? rank_ : rank_ - 1;
        if (last >= 0) reduce_block(c, fault, 0, receive, last);
        return;
      }
      case Collective::scatter:
        std::memcpy(receive, input_of(c.root) + index(rank_) * block, block);
        return;
      case Collective::alltoall:
        for (int from = 0; from < size(); ++from) {
          std::memcpy(receive + index(from) * block, input_of(from) + index(rank_) * block, block);
        }
        return;
      case Collective::gather:
        if (rank_ != c.root) return;
        [[fallthrough]];
      case Collective::allgather:
        for (int from = 0; from < size(); ++from) {
          std::memcpy(receive + index(from) * block, input_of(from), block);
        }
        return;
      default:
        return;
    }
  }

  void reduce_block(const Case& c, Fault fault, std::size_t offset, std::byte* receive) const {
    reduce_block(c, fault, offset, receive, size() - 1);
  }

  // Over the ranks up to `last`.
  void reduce_block(const Case& c, Fault fault, std::size_t offset, std::byte* receive,
                    int last) const {
    std::vector<const void*> sources;
    for (int from = 0; from <= last; ++from) sources.push_back(input_of(from) + offset);
    if (fault == Fault::missing_contribution && sources.size() > 1) sources.pop_back();
    if (fault == Fault::doubled_contribution) sources.front() = sources.back();
    rondo::reduce(c.dtype, c.op, receive, sources, c.count, c.op == Op::avg ? size() : 1);
  }

  void break_result(const Case& c, Fault fault, const ErasedCall& call) {
    auto* const receive = static_cast<std::byte*>(call.receive);
    const std::size_t element = size_of(c.dtype);
    const std::size_t bytes = c.receive_elements() * element;
    const bool last = rank_ == size() - 1;
    if (fault == Fault::wrong_element && rank_ == c.root) {
      receive[bytes / 2] ^= std::byte{1};
    } else if (fault == Fault::shifted && rank_ == c.root) {
      std::memmove(receive + element, receive, bytes - element);
    } else if (fault == Fault::past_the_end && last) {
      receive[bytes] = std::byte{0};
    } else if (fault == Fault::input_changed && last) {
      static_cast<std::byte*>(const_cast<void*>(call.send))[element] ^= std::byte{1};
    } else if (fault == Fault::unasked_receiver && rank_ != c.root) {
      receive[0] ^= std::byte{1};
    } else if (fault == Fault::last_bit_of_one_rank && last) {
      receive[0] ^= std::byte{1};
    } else if (fault == Fault::other_bits_next_time && calls_++ == 0) {
      receive[0] ^= std::byte{1};
    }
  }

  SharedWorld& world_;
  int rank_;
  int calls_ = 0;
};

/// One thread a rank.
inline void on_shared_world(int ranks, Fault fault,
                            const std::function<void(SharedLibrary&)>& body) {
  SharedWorld world(ranks, fault);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      SharedLibrary library(world, rank);
      body(library);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace rondo::bench::testing
