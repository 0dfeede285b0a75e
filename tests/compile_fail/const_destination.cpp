// A constant cannot be written.
// Expected: RecvBuffer

#include <rondo/rondo.hpp>

#include <array>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  const std::array<float, 8> values = {};
  comm.allreduce(values);
#else
  const std::array<float, 8> values = {};
  std::array<float, 8> sums = {};
  comm.allreduce(values, sums);
#endif
}
