// What a message is received into must outlive the call that names it.
// Expected: RecvBuffer

#include <rondo/rondo.hpp>

#include <vector>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  comm.exchange({rondo::recv_from(0, std::vector<float>(8))});
#else
  std::vector<float> values(8);
  comm.exchange({rondo::recv_from(0, values)});
#endif
}
