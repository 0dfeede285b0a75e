// An address means nothing on another rank.
// Expected: RecvBuffer

#include <rondo/rondo.hpp>

#include <vector>

void call(rondo::Communicator& comm) {
#ifdef WRONG
  std::vector<char*> texts(8);
  comm.broadcast(texts, 0);
#else
  std::vector<char> text(8);
  comm.broadcast(text, 0);
#endif
}
