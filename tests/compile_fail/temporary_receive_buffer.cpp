// Nobody could read the result of a temporary.
// Expected: RecvBuffer

#include <rondo/rondo.hpp>

#include <vector>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  comm.allreduce(std::vector<float>(8));
#else
  std::vector<float> values(8);
  comm.allreduce(values);
#endif
}
