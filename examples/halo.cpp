// Heat in a rod: every rank has a part of it, and before each step neighbours exchange the
// temperatures at their edges, the halo. Rank 0 computes the whole rod once more, alone, and
// compares: the same sums in the same order give the same bits.
//
//   rondo run -n 4 halo

#include <rondo/rondo.hpp>

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <vector>

namespace {

constexpr std::size_t cells = 1000;
constexpr int steps = 500;
constexpr double diffusion = 0.25;  // per step; up to 0.5 is stable

using Cells = std::vector<double>;

// Hot in the middle third, cold elsewhere.
double initial(std::size_t cell) {
  return cell >= cells / 3 && cell < 2 * cells / 3 ? 100.0 : 0.0;
}

// A part of the rod, with a ghost cell at each end that holds what its neighbour has there. Beyond
// the ends of the rod it stays cold.
struct Part {
  std::size_t begin;
  Cells now;
  Cells next;

  Part(std::size_t first, std::size_t end)
      : begin(first), now(end - first + 2, 0.0), next(end - first + 2, 0.0) {
    for (std::size_t i = first; i < end; ++i) now[i - first + 1] = initial(i);
  }

  std::size_t size() const { return now.size() - 2; }

  void advance() {
    for (std::size_t i = 1; i <= size(); ++i) {
      next[i] = now[i] + diffusion * (now[i - 1] - 2 * now[i] + now[i + 1]);
    }
    std::swap(now, next);
  }
};

std::size_t begin_of(int rank, int ranks) {
  return cells * static_cast<std::size_t>(rank) / static_cast<std::size_t>(ranks);
}

// Both edges at once: in one exchange neither side has to wait for the other to go first.
void exchange_edges(rondo::Communicator& comm, Part& part) {
  const std::span<double> all(part.now);
  std::vector<rondo::Message> messages;
  if (const int left = comm.rank() - 1; left >= 0) {
    messages.push_back(rondo::send_to(left, all.subspan(1, 1)));
    messages.push_back(rondo::recv_from(left, all.first(1)));
  }
  if (const int right = comm.rank() + 1; right < comm.size()) {
    messages.push_back(rondo::send_to(right, all.subspan(part.size(), 1)));
    messages.push_back(rondo::recv_from(right, all.last(1)));
  }
  comm.exchange(messages);
}

// The whole rod at rank 0; parts differ in size where the cells don't divide evenly.
Cells collect(rondo::Communicator& comm, const Part& part) {
  std::vector<std::size_t> counts;
  for (int rank = 0; rank < comm.size(); ++rank) {
    counts.push_back(begin_of(rank + 1, comm.size()) - begin_of(rank, comm.size()));
  }
  Cells rod(comm.rank() == 0 ? cells : 0);
  comm.gatherv(std::span(part.now).subspan(1, part.size()), rod, /*root=*/0, counts);
  return rod;
}

}  // namespace

int main() try {
  rondo::Communicator comm = rondo::Communicator::from_env();
  Part part(begin_of(comm.rank(), comm.size()), begin_of(comm.rank() + 1, comm.size()));
  for (int step = 0; step < steps; ++step) {
    exchange_edges(comm, part);
    part.advance();
  }
  const Cells rod = collect(comm, part);
  if (comm.rank() != 0) return 0;

  Part whole(0, cells);
  for (int step = 0; step < steps; ++step) whole.advance();
  const bool same = std::equal(rod.begin(), rod.end(), whole.now.begin() + 1);
  std::cout << steps << " steps of " << cells << " cells on " << comm.size() << " ranks: "
            << (same ? "the same bits as on one" : "WRONG, not what one rank computes")
            << "; the middle has " << rod[cells / 2] << " degrees, the edge of the hot part "
            << rod[cells / 3] << "\n";
  return same ? 0 : 1;
} catch (const rondo::Error& error) {
  std::cerr << "halo: " << error.what() << "\n";
  return 1;
}
