// The elements of a list lie apart.
// Expected: RecvBuffer

#include <rondo/rondo.hpp>

#include <list>
#include <vector>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  std::list<float> values(8);
  comm.allreduce(values);
#else
  std::vector<float> values(8);
  comm.allreduce(values);
#endif
}
