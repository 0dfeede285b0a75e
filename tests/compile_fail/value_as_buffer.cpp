// One value is no buffer; allreduce_value takes it.
// Expected: RecvBuffer

#include <rondo/rondo.hpp>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  double seconds = 1;
  comm.allreduce(seconds);
#else
  const double seconds = comm.allreduce_value(1.0, rondo::Op::max);
  static_cast<void>(seconds);
#endif
}
