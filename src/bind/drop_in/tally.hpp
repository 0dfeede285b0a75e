#pragma once

// What became of the calls of a rank, or of all of them: how many rondo took, how many went below
// and why, what they moved and how long they took.

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "bind/drop_in/kinds.hpp"
#include "bind/drop_in/trial.hpp"

namespace rondo::bind {

struct Amounts {
  std::uint64_t calls = 0;
  std::uint64_t bytes = 0;  ///< of this rank's part, as far as it knows the lengths
  double seconds = 0;

  void add(std::uint64_t more_bytes, double more_seconds) {
    ++calls;
    bytes += more_bytes;
    seconds += more_seconds;
  }
  Amounts& operator+=(const Amounts& other);
};

struct KindTally {
  Amounts taken;
  std::array<Amounts, reason_count> passed;
  /// What the taken calls would have taken longer below, by what was measured; measured slots only.
  double saved_seconds = 0;

  Amounts all_passed() const;
  KindTally& operator+=(const KindTally& other);
};

/// One decision by measuring.
struct Finding {
  int ranks = 0;
  Kind kind = Kind::barrier;
  TypeClass type = TypeClass::data;
  std::uint64_t bytes = 0;  ///< of the first call of this slot
  Times times;              ///< averages over the ranks
  Way way = Way::below;
};

/// What adds up over ranks, and travels as bytes.
struct Sums {
  std::array<KindTally, kind_count> kinds;
  std::uint64_t communicators = 0;  ///< of more than one rank; each counts once on each of them
  std::uint64_t formed = 0;         ///< for which rondo made one of its own
  double forming_seconds = 0;

  KindTally& of(Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }
  Sums& operator+=(const Sums& other);
};
static_assert(std::is_trivially_copyable_v<Sums>);

struct Tally : Sums {
  std::vector<Finding> findings;

  using Sums::operator+=;
  Tally& operator+=(const Tally& other);
};

/// Who tells.
struct Teller {
  std::string form;  ///< "component" or "preload"
  std::string mpi;   ///< version text of the MPI below
  std::string mode;
  int rank = 0;
  int ranks = 1;
  int counted = 1;  ///< ranks whose calls the tally has
};

std::string json(const Teller& teller, const Tally& tally);
/// For a terminal.
std::string table(const Teller& teller, const Tally& tally);

}  // namespace rondo::bind
