// Memory comes back exactly once.
// Expected: use of deleted function

#include <rondo/rondo.hpp>

#include <utility>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  rondo::Work work = comm.ibarrier();
  rondo::Work copy = work;
#else
  rondo::Work work = comm.ibarrier();
  rondo::Work owner = std::move(work);
#endif
}
