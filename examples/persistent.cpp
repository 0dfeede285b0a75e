// A collective that is prepared once and started in every step.
//
//   rondo run -n 2 persistent

#include <rondo/rondo.hpp>

#include <cstddef>
#include <iostream>
#include <vector>

int main() try {
  rondo::Communicator comm = rondo::Communicator::from_env();

  // Newton's method for the square roots of 1, 2 and 3: each rank gives its share of the next step.
  std::vector<double> roots = {1, 1, 1};
  std::vector<double> next(roots.size());
  rondo::Persistent sum = comm.allreduce_init(next);
  for (int step = 0; step < 6; ++step) {
    for (std::size_t i = 0; i < roots.size(); ++i) {
      const double x = static_cast<double>(i) + 1;
      next[i] = (roots[i] + x / roots[i]) / 2 / comm.size();
    }
    sum.start();  // `next` is the library's from here …
    sum.wait();   // … to here. An error of the collective is thrown by wait().
    roots = next;
  }
  if (comm.rank() == 0) std::cout << "the square root of 2 is " << roots[1] << "\n";
} catch (const rondo::Error& error) {
  std::cerr << "persistent: " << error.what() << "\n";
  return 1;
}
