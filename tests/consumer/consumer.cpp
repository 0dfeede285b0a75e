// What a project that uses rondo might be: it calls the library, and catches its error.

#include <rondo/rondo.hpp>

#include <cstdio>
#include <vector>

int main() {
  rondo::Communicator comm = rondo::Communicator::from_env();
  std::vector<float> values(4, 2.5f);
  comm.allreduce(values);
  try {
    comm.broadcast(values, comm.size());
  } catch (const rondo::Error& error) {
    std::printf("%g, and an error caught: %s\n", static_cast<double>(values[0]), error.what());
    return error.code() == rondo::ErrorCode::invalid_argument ? 0 : 1;
  }
  return 1;
}
