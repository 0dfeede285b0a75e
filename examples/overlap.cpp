// A collective that runs while the program computes.
//
//   rondo run -n 4 overlap

#include <rondo/rondo.hpp>

#include <cmath>
#include <iostream>
#include <vector>

int main() try {
  rondo::Communicator comm = rondo::Communicator::from_env();

  std::vector<double> gradient(1'000'000, 1.0 / comm.size());
  rondo::Work work = comm.iallreduce(gradient);  // `gradient` is the library's from here …

  double other = 0;
  for (int i = 1; i < 1'000'000; ++i) other += std::sqrt(static_cast<double>(i));

  work.wait();  // … to here. An error of the collective is thrown by wait().
  if (comm.rank() == 0) {
    std::cout << "gradient[0] = " << gradient[0] << ", and meanwhile computed " << other << "\n";
  }
} catch (const rondo::Error& error) {
  std::cerr << "overlap: " << error.what() << "\n";
  return 1;
}
