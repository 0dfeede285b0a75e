// The kit against transports that are broken on purpose: each fault must be found by the check that
// is there for it.

#include "transport/conformance.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "transport/inproc.hpp"

namespace rondo::conformance {
namespace {

enum class Fault {
  none,
  corrupts_a_byte,
  writes_behind_the_buffer,
  completes_early,
  completes_twice,
  loses_a_message,
  swaps_messages,
  merges_channels,
  never_completes_empty,
  writes_into_sent_bytes,
  releases_at_once,
  never_releases,
  ignores_wake,
  never_sleeps,
  agrees_to_every_call,
  names_one_call,
  hides_that_peers_left,
  writes_after_cancel,
  begins_after_cancel,
  blames_its_neighbour,
  keeps_abort_for_itself,
  sorts_members,
  loses_what_is_made,
  publishes_in_turn,
  mixes_publications,
};

// A transport that does one thing wrong.
class Broken final : public Transport {
 public:
  Broken(std::unique_ptr<Transport> inner, Fault fault)
      : Transport("broken", inner->rank(), inner->size()),
        inner_(std::move(inner)),
        fault_(fault) {}

  Result<> begin(std::uint64_t sequence, const Call& call, std::span<const Link> links) override {
    if (canceled_ && fault_ == Fault::writes_after_cancel) scribble();
    if (canceled_ && fault_ == Fault::begins_after_cancel) return {};
    return inner_->begin(sequence, fault_ == Fault::agrees_to_every_call ? Call{} : call, links);
  }

  void post(Transfer& transfer) override {
    const bool recv = transfer.kind == Transfer::Kind::recv;
    if (!recv && transfer.borrow && fault_ == Fault::loses_what_is_made) {
      room_.resize(transfer.size + 1);
      transfer.data = room_.data();
      transfer.state = Transfer::State::part;
      return;
    }
    if (!recv && transfer.borrow) return inner_->post(transfer);
    if (fault_ == Fault::publishes_in_turn && transfer.publication != 0) {
      transfer.state = Transfer::State::posted;
      return waiting_.push_back(&transfer);
    }
    if (fault_ == Fault::mixes_publications && transfer.publication != 0) {
      std::vector<std::byte>& first = first_of_size_[transfer.size];
      if (first.empty()) first.assign(transfer.data, transfer.data + transfer.size);
      transfer.data = first.data();
    }
    if (fault_ == Fault::merges_channels) transfer.link.channel = 0;
    if (fault_ == Fault::loses_a_message && !recv && ++sent_ == 3) {
      transfer.state = Transfer::State::done;
      return;
    }
    if (fault_ == Fault::never_completes_empty && transfer.size == 0) {
      transfer.state = Transfer::State::posted;
      return;
    }
    if (fault_ == Fault::swaps_messages && !recv && sent_ < 2) return swap(transfer);
    inner_->post(transfer);
    if (fault_ == Fault::completes_early && recv) transfer.state = Transfer::State::done;
    if (recv) open_.push_back(&transfer);
  }

  Result<bool> poll(std::chrono::microseconds patience) override {
    while (!waiting_.empty() && (turn_ == nullptr || turn_->state == Transfer::State::done)) {
      turn_ = waiting_.front();
      waiting_.pop_front();
      inner_->post(*turn_);
    }
    const bool sleepless = fault_ == Fault::never_sleeps;
    Result<bool> moved = inner_->poll(sleepless ? std::chrono::microseconds(0) : patience);
    for (Transfer* transfer : finished_) transfer->state = Transfer::State::done;
    finished_.clear();
    std::erase_if(open_, [&](Transfer* transfer) {
      if (transfer->state != Transfer::State::done) return false;
      completed(*transfer);
      return true;
    });
    if (sleepless && moved) return true;
    if (fault_ == Fault::hides_that_peers_left && !moved &&
        moved.error().code() == ErrorCode::peer_left) {
      return false;
    }
    return moved;
  }

  bool release(Transfer& transfer) override {
    if (transfer.kind == Transfer::Kind::send && fault_ == Fault::loses_what_is_made) {
      transfer.state = Transfer::State::done;
      return true;
    }
    return fault_ == Fault::never_releases || inner_->release(transfer);
  }
  void cancel() override {
    canceled_ = true;
    if (fault_ != Fault::keeps_abort_for_itself) inner_->cancel();
  }
  void wake() override {
    if (fault_ != Fault::ignores_wake) inner_->wake();
  }

  Error conclude(const Error& finding, std::span<const int> waiting_for) override {
    if (fault_ == Fault::keeps_abort_for_itself) return finding;
    const Error verdict = inner_->conclude(finding, waiting_for);
    if (fault_ == Fault::names_one_call)
      return Error(verdict.code(), "the others did something else");
    if (fault_ == Fault::blames_its_neighbour && verdict.code() == ErrorCode::timeout) {
      return Error(verdict.code(), rank() - 1, verdict.text());
    }
    return verdict;
  }

  Result<std::unique_ptr<Transport>> split(std::span<const int> members,
                                           std::uint64_t context) override {
    std::vector<int> order(members.begin(), members.end());
    if (fault_ == Fault::sorts_members) std::sort(order.begin(), order.end());
    Result<std::unique_ptr<Transport>> child = inner_->split(order, context);
    if (!child) return child.error();
    return std::unique_ptr<Transport>(std::make_unique<Broken>(std::move(child).value(), fault_));
  }

 private:
  // Keeps the first message back until the second one is posted.
  void swap(Transfer& transfer) {
    transfer.state = Transfer::State::posted;
    if (++sent_ == 1) {
      held_ = &transfer;
      return;
    }
    inner_->post(transfer);
    inner_->post(*held_);
  }

  void completed(Transfer& transfer) {
    std::byte* data = transfer.data;
    switch (fault_) {
      case Fault::corrupts_a_byte:
        if (transfer.size > 0) data[transfer.size / 2] ^= std::byte{1};
        break;
      case Fault::writes_behind_the_buffer:
        if (!transfer.borrow) data[transfer.size] = std::byte{0};
        break;
      case Fault::writes_into_sent_bytes:
        if (transfer.borrow && transfer.size > 0) data[transfer.size - 1] ^= std::byte{1};
        break;
      case Fault::releases_at_once:
        if (transfer.borrow) (void)inner_->release(transfer);
        break;
      case Fault::completes_twice:
        finished_.push_back(&transfer);
        break;
      default:
        break;
    }
  }

  void scribble() {
    for (Transfer* transfer : open_) {
      if (transfer->data != nullptr) transfer->data[0] = std::byte{0};
    }
  }

  std::unique_ptr<Transport> inner_;
  Fault fault_;
  std::vector<std::byte> room_;
  std::vector<Transfer*> open_;      // recvs
  std::vector<Transfer*> finished_;  // to be completed again
  std::deque<Transfer*> waiting_;    // until the turn of the one before them is over
  Transfer* turn_ = nullptr;
  std::map<std::size_t, std::vector<std::byte>> first_of_size_;
  Transfer* held_ = nullptr;
  int sent_ = 0;
  bool canceled_ = false;
};

Factory broken(Fault fault) {
  return [fault](int ranks) {
    std::vector<std::unique_ptr<Transport>> world = make_inproc(ranks);
    for (auto& transport : world) transport = std::make_unique<Broken>(std::move(transport), fault);
    return world;
  };
}

Failures run(std::string_view name, Fault fault) {
  Options options;
  options.large_bytes = 100000;
  options.huge = false;
  // Short where a wait is expected to fail; long where one would only fail on a busy machine.
  if (fault != Fault::none) {
    options.deadline = std::chrono::milliseconds(500);
    options.long_sleep = std::chrono::milliseconds(1000);
  }
  for (const Check& check : checks()) {
    if (check.name == name) return check.run(broken(fault), options);
  }
  return {};
}

struct Expectation {
  Fault fault;
  std::string_view check;

  friend std::ostream& operator<<(std::ostream& out, const Expectation& expectation) {
    return out << "fault " << static_cast<int>(expectation.fault) << " by " << expectation.check;
  }
};

class BrokenTransportTest : public ::testing::TestWithParam<Expectation> {};

TEST_P(BrokenTransportTest, IsFound) {
  const auto [fault, check] = GetParam();
  const Failures failures = run(check, fault);
  EXPECT_FALSE(failures.empty()) << check << " passes";
  for (const std::string& failure : failures) RecordProperty(std::string(check), failure);
}

INSTANTIATE_TEST_SUITE_P(
    Kit, BrokenTransportTest,
    ::testing::Values(Expectation{Fault::corrupts_a_byte, "delivers_every_message_once"},
                      Expectation{Fault::corrupts_a_byte, "moves_large_messages_both_ways"},
                      Expectation{Fault::corrupts_a_byte, "serves_many_ranks_at_once"},
                      Expectation{Fault::writes_behind_the_buffer, "delivers_every_message_once"},
                      Expectation{Fault::completes_early, "waits_for_the_other_side"},
                      Expectation{Fault::completes_twice, "delivers_every_message_once"},
                      Expectation{Fault::loses_a_message, "keeps_the_order_on_a_link"},
                      Expectation{Fault::loses_a_message, "carries_out_operations_back_to_back"},
                      Expectation{Fault::swaps_messages, "keeps_the_order_on_a_link"},
                      Expectation{Fault::merges_channels, "keeps_channels_apart"},
                      Expectation{Fault::never_completes_empty, "completes_messages_without_bytes"},
                      Expectation{Fault::writes_into_sent_bytes, "lends_message_after_message"},
                      Expectation{Fault::releases_at_once, "lends_bytes_until_release"},
                      Expectation{Fault::never_releases, "lends_message_after_message"},
                      Expectation{Fault::loses_what_is_made, "takes_messages_made_in_its_memory"},
                      Expectation{Fault::publishes_in_turn, "lets_no_reader_wait_for_another"},
                      Expectation{Fault::mixes_publications, "publishes_to_several_readers"},
                      Expectation{Fault::ignores_wake, "wake_ends_a_sleep"},
                      Expectation{Fault::never_sleeps, "returns_when_patience_ends"},
                      Expectation{Fault::agrees_to_every_call, "names_both_calls_of_a_mismatch"},
                      Expectation{Fault::names_one_call, "names_both_calls_of_a_mismatch"},
                      Expectation{Fault::hides_that_peers_left, "names_the_peer_that_left"},
                      Expectation{Fault::hides_that_peers_left, "delivers_before_the_peer_leaves"},
                      Expectation{Fault::writes_after_cancel, "touches_nothing_after_cancel"},
                      Expectation{Fault::begins_after_cancel, "touches_nothing_after_cancel"},
                      Expectation{Fault::blames_its_neighbour, "names_the_silent_rank"},
                      Expectation{Fault::blames_its_neighbour, "blames_nobody_where_all_answer"},
                      Expectation{Fault::keeps_abort_for_itself, "tells_all_ranks_of_an_abort"},
                      Expectation{Fault::sorts_members, "splits_into_other_orders"},
                      Expectation{Fault::sorts_members, "splits_what_was_split"}));

// Or the tests above would prove nothing.
TEST(ConformanceKit, FindsNothingInAWrapperWithoutFault) {
  for (const Check& check : checks()) {
    for (const std::string& failure : run(check.name, Fault::none)) {
      ADD_FAILURE() << check.name << ": " << failure;
    }
  }
}

}  // namespace
}  // namespace rondo::conformance
