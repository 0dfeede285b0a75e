#pragma once

// One communicator of MPI's, and the one of rondo's that takes calls for it.
//
// Every decision is a function of what all ranks know alike: the collectives made so far on this
// communicator, the bytes and type of this one, and what the ranks have told each other.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "bind/drop_in/drop_in.hpp"
#include "bind/drop_in/kinds.hpp"
#include "bind/drop_in/tally.hpp"
#include "bind/drop_in/trial.hpp"
#include "bind/drop_in/worlds.hpp"
#include "rondo/communicator.hpp"
#include "rondo/error.hpp"

namespace rondo::bind {

/// What a call is decided by.
struct Subject {
  Kind kind;
  TypeClass type = TypeClass::data;
  /// Alike on all ranks, and 0 where they do not know each other's lengths.
  std::size_t bytes = 0;
  std::size_t own_bytes = 0;  ///< of this rank; for the statistics
};

class Member {
 public:
  Member(DropIn& drop_in, Surroundings surroundings);
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member();

  int rank() const { return surroundings_.rank; }
  int size() const { return surroundings_.size; }

  /// A call that rondo can take: `take` carries it out with run(), `below` asks the MPI below.
  /// `leave` is told when all calls of this collective and class of types that left_classes() names
  /// go below from now on, and nobody counts them. Returns the code of the call.
  template <class Take, class Below, class Leave>
  int carry_out(const Subject& subject, Take take, Below below, Leave leave) {
    if (!communicator_ && !form_when_due(subject)) {
      if (absence_ == Reason::unavailable) return pass_for_good(subject, absence_, below, leave);
      return pass(subject, absence_, below);
    }
    const std::size_t slot = Slot(subject.kind, subject.type, subject.bytes).index();
    switch (choices_[slot]) {
      case Choice::rondo:
        if (--until_review_ == 0) review();
        return counts_ ? counted(subject, slot, take, below) : attempt(slot, take, below);
      case Choice::below:
        return pass_for_good(subject, Reason::slower, below, leave);
      case Choice::refused:
        return pass_for_good(subject, Reason::refused, below, leave);
      case Choice::open:
      case Choice::again:
        break;
    }
    return try_out(subject, slot, take, below);
  }

  /// A call that is not for rondo.
  template <class Below>
  int pass(const Subject& subject, Reason reason, Below below) {
    if (!counts_) return below();
    const auto start = Clock::now();
    const int code = below();
    tally_.of(subject.kind)
        .passed[static_cast<std::size_t>(reason)]
        .add(subject.own_bytes, seconds_since(start));
    return code;
  }

  /// One that never will be.
  template <class Below, class Leave>
  int pass_for_good(const Subject& subject, Reason reason, Below below, Leave leave) {
    if (!counts_) leave();
    return pass(subject, reason, below);
  }

  /// One that goes below without having been looked at.
  void count(Kind kind, Reason reason) {
    if (counts_) tally_.of(kind).passed[static_cast<std::size_t>(reason)].add(0, 0);
  }

  static constexpr std::uint64_t every_class = ~std::uint64_t{0};
  /// Bit c: what Slot takes for size class c goes below for good.
  std::uint64_t left_classes(Kind kind, TypeClass type) const;

  /// Inside `take`. Throws Error.
  void run(const ErasedCall& call) { communicator_->run(call); }
  /// Room for what cannot be sent or received where it lies; `which` of two. Inside `take`.
  std::byte* room(std::size_t which, std::size_t bytes);
  /// Room for counts and displacements of all ranks; `which` of four. Inside `take`.
  std::size_t* numbers(std::size_t which);

 private:
  using Clock = std::chrono::steady_clock;
  enum class Choice : std::uint8_t { open, again, rondo, below, refused };

  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  bool form_when_due(const Subject& subject);
  bool all_may_form();
  bool form();
  /// What becomes of an error inside: true where the MPI below can still carry out the call.
  bool is_refusal(std::size_t slot, const Error& error);
  void settle(const Subject& subject, std::size_t slot);
  /// What rondo was found to be faster at is tried once more: what came by while it was measured
  /// may have decided. Each time later, so that all of it costs next to nothing.
  void review();

  template <class Take, class Below>
  int attempt(std::size_t slot, Take& take, Below& below) {
    try {
      take();
      return 0;
    } catch (const Error& error) {
      if (!is_refusal(slot, error)) return surroundings_.fail();
    } catch (const std::exception& bug) {
      end(bug.what());
      return surroundings_.fail();
    }
    return below();
  }

  template <class Take, class Below>
  int counted(const Subject& subject, std::size_t slot, Take& take, Below& below) {
    const auto start = Clock::now();
    const int code = attempt(slot, take, below);
    const double seconds = seconds_since(start);
    KindTally& tally = tally_.of(subject.kind);
    tally.taken.add(subject.own_bytes, seconds);
    const auto found = below_seconds_.find(slot);
    if (found != below_seconds_.end()) tally.saved_seconds += found->second - seconds;
    return code;
  }

  template <class Take, class Below>
  int try_out(const Subject& subject, std::size_t slot, Take& take, Below& below) {
    Trial& trial = trials_[slot];
    const Way way = trial.next();
    const auto start = Clock::now();
    const int code = way == Way::rondo ? attempt(slot, take, below) : below();
    const double seconds = seconds_since(start);
    if (choices_[slot] == Choice::refused) {
      trials_.erase(slot);
      return code;
    }
    // A part of what making the communicator takes.
    if (trial.is_first_row()) drop_in_.note_forming(seconds);
    trial.add(seconds * 1e9);
    if (counts_) {
      KindTally& tally = tally_.of(subject.kind);
      Amounts& amounts =
          way == Way::rondo ? tally.taken : tally.passed[static_cast<std::size_t>(Reason::tried)];
      amounts.add(subject.own_bytes, seconds);
    }
    if (code == 0 && trial.is_over()) settle(subject, slot);
    return code;
  }

  /// Nothing more can be done on this communicator, on any rank.
  void end(const std::string& why);

  DropIn& drop_in_;
  const Surroundings surroundings_;
  const bool counts_;
  Reason absence_ = Reason::early;
  std::uint64_t calls_ = 0;  // before rondo's communicator was made
  std::uint64_t bytes_ = 0;
  std::uint64_t due_calls_;  // when it is thought of making it
  std::uint64_t due_bytes_;
  std::unique_ptr<Communicator> communicator_;
  std::vector<Choice> choices_;
  std::uint64_t until_review_ = 0;  // calls that rondo takes; 0: never
  std::uint64_t patience_ = 0;
  std::unordered_map<std::size_t, Trial> trials_;
  std::unordered_map<std::size_t, double> below_seconds_;  // of measured slots
  std::array<std::vector<std::byte>, 2> rooms_;
  std::array<std::vector<std::size_t>, 4> numbers_;
  Tally tally_;
};

}  // namespace rondo::bind
