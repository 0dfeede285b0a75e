// The smallest program: every rank adds its number.
//
//   rondo run -n 4 hello

#include <rondo/rondo.hpp>

#include <iostream>
#include <vector>

int main() try {
  rondo::Communicator comm = rondo::Communicator::from_env();

  std::vector<float> values(8, static_cast<float>(comm.rank() + 1));
  comm.allreduce(values);  // in place, Op::sum

  if (comm.rank() == 0) {
    std::cout << "the sum of 1 to " << comm.size() << " is " << values[0] << "\n";
  }
} catch (const rondo::Error& error) {
  std::cerr << "hello: " << error.what() << "\n";
  return 1;
}
