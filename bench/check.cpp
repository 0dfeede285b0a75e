#include "bench/check.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace rondo::bench {

namespace {

constexpr auto untouched = static_cast<int>(0xa5);

bool sends(const Case& c, int rank) {
  const bool is_roots =
      c.collective == Collective::broadcast || c.collective == Collective::scatter;
  return !is_roots || rank == c.root;
}

bool receives(const Case& c, int rank) {
  const bool is_roots = c.collective == Collective::reduce || c.collective == Collective::gather;
  if (c.collective == Collective::exscan) return rank > 0;
  return !is_roots || rank == c.root;
}

int before(const Case& c, int rank) {
  return (rank + c.ranks - 1) % c.ranks;
}

std::size_t block_start(const Case& c, int rank) {
  return static_cast<std::size_t>(rank) * c.count;
}

std::uint64_t count_changed(const std::byte* data, std::size_t bytes, std::size_t element) {
  const auto changed = static_cast<std::uint64_t>(std::count_if(
      data, data + bytes, [](std::byte b) { return b != static_cast<std::byte>(untouched); }));
  return (changed + element - 1) / element;
}

Findings inspect_result(const Pattern& pattern, const Case& c, int rank, const std::byte* receive) {
  Findings found;
  Pattern lower = pattern;
  if (!c.collective) return compare_with_input(pattern, before(c, rank), 0, receive, c.count);
  switch (*c.collective) {
    case Collective::allreduce:
    case Collective::reduce:
      return compare_with_reduction(pattern, 0, receive, c.count);
    case Collective::reduce_scatter:
      return compare_with_reduction(pattern, block_start(c, rank), receive, c.count);
    case Collective::broadcast:
      return compare_with_input(pattern, c.root, 0, receive, c.count);
    case Collective::scan:
    case Collective::exscan:
      lower.reduced = c.collective == Collective::scan ? rank + 1 : rank;
      return compare_with_reduction(lower, 0, receive, c.count);
    case Collective::scatter:
      return compare_with_input(pattern, c.root, block_start(c, rank), receive, c.count);
    case Collective::alltoall:
      for (int from = 0; from < c.ranks; ++from) {
        found += compare_with_input(pattern, from, block_start(c, rank),
                                    receive + block_start(c, from) * size_of(c.dtype), c.count);
      }
      return found;
    case Collective::allgather:
    case Collective::gather:
      for (int from = 0; from < c.ranks; ++from) {
        found += compare_with_input(pattern, from, 0,
                                    receive + block_start(c, from) * size_of(c.dtype), c.count);
      }
      return found;
    default:
      break;
  }
  return found;
}

/// The inputs that the call may only read.
Findings inspect_input(const Pattern& pattern, const Case& c, int rank, const std::byte* send) {
  if (!c.in_place || !receives(c, rank) || c.collective == Collective::scatter) {
    return compare_with_input(pattern, rank, 0, send, c.send_elements());
  }
  Findings found;
  if (c.collective == Collective::reduce_scatter) {
    const std::size_t begin = block_start(c, rank);
    const std::size_t end = begin + c.count;
    found += compare_with_input(pattern, rank, 0, send, begin);
    found += compare_with_input(pattern, rank, end, send + end * size_of(c.dtype),
                                c.send_elements() - end);
  }
  return found;
}

/// Call 0, with what the host has prepared, and its results back to the host.
void carry_out_first(Library& library, Arena& arena, const Case& c) {
  arena.give(c);
  carry_out(library, c, arena.at(c, library.rank(), 0));
  library.finish();
  arena.take(c);
}

/// The same bits on all ranks, where all ranks get the same.
bool ranks_agree(Library& library, const Case& c, std::uint64_t bits) {
  const bool same_everywhere = c.collective == Collective::allreduce ||
                               c.collective == Collective::broadcast ||
                               c.collective == Collective::allgather;
  std::array<std::uint64_t, 2> extremes = {bits, ~bits};
  if (same_everywhere) combine(library, extremes, Op::max);
  return extremes[0] == ~extremes[1];
}

}  // namespace

void prepare(const Pattern& pattern, const Case& c, int rank, Arena& arena) {
  const Place place = arena.on_host(c, rank);
  const std::size_t element = size_of(c.dtype);
  std::memset(place.receive, untouched, c.receive_elements() * element);
  if (!c.in_place || gets_own_block(*c.collective)) {
    std::memset(place.send, untouched, c.send_elements() * element);
  }
  if (sends(c, rank)) fill_input(pattern, rank, 0, place.send, c.send_elements());
  arena.set_guards(c);
}

Findings inspect(const Pattern& pattern, const Case& c, int rank, const Arena& arena) {
  const Place place = arena.on_host(c, rank);
  Findings found;
  if (receives(c, rank)) {
    found += inspect_result(pattern, c, rank, place.receive);
  } else if (!c.in_place) {
    const std::size_t element = size_of(c.dtype);
    found.wrong += count_changed(place.receive, c.receive_elements() * element, element);
  }
  if (sends(c, rank)) found += inspect_input(pattern, c, rank, place.send);
  found.wrong += arena.broken_guards(c);
  return found;
}

void carry_out(Library& library, const Case& c, const Place& place) {
  if (c.collective) {
    library.begin({*c.collective, place.send, place.receive, c.count, c.dtype, c.op, c.root});
    return;
  }
  const int rank = library.rank();
  library.exchange({{Message::Kind::send, (rank + 1) % c.ranks, place.send, c.count, c.dtype},
                    {Message::Kind::recv, before(c, rank), place.receive, c.count, c.dtype}});
}

Findings check_call(Library& library, Arena& arena, const Case& c, Check check,
                    std::uint64_t seed) {
  const int rank = library.rank();
  const Pattern pattern = {c.dtype, c.op, c.reduces(), check == Check::reference, c.ranks, seed, 0};
  const Place place = arena.on_host(c, rank);
  const std::size_t received = receives(c, rank) ? c.receive_elements() * size_of(c.dtype) : 0;

  prepare(pattern, c, rank, arena);
  carry_out_first(library, arena, c);
  Findings found = inspect(pattern, c, rank, arena);
  if (check == Check::reference) {
    const std::uint64_t bits = fingerprint(place.receive, received);
    prepare(pattern, c, rank, arena);
    carry_out_first(library, arena, c);
    found.wrong += fingerprint(place.receive, received) != bits;
    found.wrong += !ranks_agree(library, c, bits);
  }

  std::array<std::uint64_t, 1> wrong = {found.wrong};
  std::array<double, 1> max_ulp = {found.max_ulp};
  combine(library, wrong, Op::sum);
  combine(library, max_ulp, Op::max);
  return {std::max(found.wrong, wrong[0]), std::max(found.max_ulp, max_ulp[0])};
}

}  // namespace rondo::bench
