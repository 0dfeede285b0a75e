// Two owners of one communicator would mix their calls.
// Expected: use of deleted function

#include <rondo/rondo.hpp>

#include <utility>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  rondo::Communicator copy = comm;
#else
  rondo::Communicator owner = std::move(comm);
#endif
}
