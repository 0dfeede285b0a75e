#pragma once

// What the ranks of a communicator tell each other before anything can be planned: collectives with
// plans that depend on nothing but the number of ranks.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "execute/engine.hpp"
#include "plan/cache.hpp"

namespace rondo {

class Exchange {
 public:
  /// Both must outlive it. All ranks make the same calls in the same order, as with collectives of
  /// the user, among which they count.
  Exchange(Engine& engine, PlanCache& plans, std::chrono::milliseconds timeout)
      : engine_(engine), plans_(plans), timeout_(timeout) {}

  int rank() const { return engine_.transport().rank(); }
  int size() const { return engine_.transport().size(); }

  /// Everybody's bytes to everybody, in rank order; as many of each rank.
  Result<> allgather(std::span<const std::byte> mine, std::span<std::byte> all);
  /// The root's bytes to everybody; as many on all ranks.
  Result<> broadcast(std::span<std::byte> bytes, int root);
  /// A collective of the caller's choice, for run() again and again.
  Result<Operation> prepare(const Plan& plan, const Amount& amount);
  Result<> run(Operation& operation, const std::byte* in, std::byte* out);

 private:
  Result<> run_once(const Plan& plan, const Amount& amount, const std::byte* in, std::byte* out);

  Engine& engine_;
  PlanCache& plans_;
  std::chrono::milliseconds timeout_;
};

/// Collective: of each rank the same number of values, in rank order.
template <class Value>
Result<std::vector<Value>> gather(Exchange& exchange, std::span<const Value> mine) {
  std::vector<Value> all(mine.size() * static_cast<std::size_t>(exchange.size()));
  const Result<> done =
      exchange.allgather(std::as_bytes(mine), std::as_writable_bytes(std::span(all)));
  if (!done) return done.error();
  return all;
}

}  // namespace rondo
