// Send and receive buffer have one element type.
// Expected: must have the same element type

#include <rondo/rondo.hpp>

#include <vector>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  const std::vector<float> values(8);
  std::vector<double> sums(8);
  comm.allreduce(values, sums);
#else
  const std::vector<float> values(8);
  std::vector<float> sums(8);
  comm.allreduce(values, sums);
#endif
}
