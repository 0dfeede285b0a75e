#pragma once

// Who and what ended an operation, in the words that all transports share.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "rondo/error.hpp"
#include "rondo/transport.hpp"

namespace rondo {

/// What one rank said about itself when the others asked.
struct Testimony {
  bool answered = false;
  std::vector<int> waiting_for;  ///< ranks without which it cannot go on
};

/// The ranks at the end of the chains of waiting ranks that begin at `observer`: those that others
/// wait for and that did not answer themselves, sorted. None where everybody who is waited for
/// answered: a call that is slow, a cycle of live ranks, a lost message.
std::vector<int> culprits(int observer, const std::vector<Testimony>& world);

/// One rank's word on what it is carrying out.
struct Claim {
  int rank = 0;
  std::uint64_t sequence = 0;
  Call call;
};

/// Two ranks carry out different calls.
Error mismatch(const Claim& theirs, const Claim& ours);

/// What one side of a message means by it.
struct Parcel {
  std::size_t bytes = 0;
  DType dtype = DType::u8;
};

/// Two ranks mean different things by one message of `call`, which both call alike. In collectives
/// with even blocks a bug, else a mismatch; `sender` is to blame as much as `receiver`.
Error unlike_parcels(const Call& call, int sender, const Parcel& sent, int receiver,
                     const Parcel& expected);

/// `peer` closed its communicator after its operation number `sequence`.
Error departed(int peer, std::uint64_t sequence);

/// The deadline passed and `culprits` (at least one) did not answer; `where` says more about the
/// first one (host and process) or is empty.
Error unanswered(const std::vector<int>& culprits, std::string_view where);

/// The deadline passed although nobody who is waited for is silent: the same error on all ranks
/// that heard the same, and nobody's fault.
Error out_of_time(const std::vector<Testimony>& world);

}  // namespace rondo
