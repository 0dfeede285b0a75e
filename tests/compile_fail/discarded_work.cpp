// The buffer would come back at once: an overlap that is none.
// Expected: nodiscard

#include <rondo/rondo.hpp>

#include <vector>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  std::vector<float> values(8);
  comm.iallreduce(values);
#else
  std::vector<float> values(8);
  const rondo::Work work = comm.iallreduce(values);
#endif
}
