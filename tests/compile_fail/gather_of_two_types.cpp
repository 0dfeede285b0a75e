// Collectives of blocks have one element type on both sides.
// Expected: must have the same element type

#include <rondo/rondo.hpp>

#include <cstddef>
#include <vector>

void call(rondo::Communicator& comm) {
  const std::vector<float> values(8);
  const std::vector<std::size_t> counts(8, 1);
#ifdef WRONG
  std::vector<double> all(8);
#else
  std::vector<float> all(8);
#endif
  comm.gatherv(values, all, 0, counts);
}
