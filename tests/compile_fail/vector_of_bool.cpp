// Packed bits have no addresses.
// Expected: RecvBuffer

#include <rondo/rondo.hpp>

#include <cstdint>
#include <vector>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  std::vector<bool> flags(8);
  comm.allreduce(flags, rondo::Op::max);
#else
  std::vector<std::uint8_t> flags(8);
  comm.allreduce(flags, rondo::Op::max);
#endif
}
