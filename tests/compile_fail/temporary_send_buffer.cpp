// A nonblocking call reads its buffer after it has returned, when a temporary would be gone.
// Expected: LastingSendBuffer

#include <rondo/rondo.hpp>

#include <vector>

void call(rondo::Communicator& comm, std::vector<float>& everyone) {
#ifdef WRONG
  rondo::Work work = comm.iallgather(std::vector<float>(8), everyone);
#else
  const std::vector<float> mine(8);
  rondo::Work work = comm.iallgather(mine, everyone);
#endif
  work.wait();
}
