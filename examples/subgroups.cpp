// Two communicators out of one: the even ranks and the odd ranks.
//
//   rondo run -n 4 split

#include <rondo/rondo.hpp>

#include <iostream>
#include <sstream>
#include <vector>

int main() try {
  rondo::Communicator world = rondo::Communicator::from_env();

  // Ranks of the same color come together; the key orders them, here from high to low.
  rondo::Communicator half = world.split(/*color=*/world.rank() % 2, /*key=*/-world.rank());

  std::vector<int> members(static_cast<std::size_t>(half.size()));
  const int mine[] = {world.rank()};
  half.allgather(mine, members);

  std::ostringstream line;  // one write, so that the ranks' lines stay whole
  line << "world rank " << world.rank() << " is rank " << half.rank() << " of";
  for (const int member : members) line << " " << member;
  line << "\n";
  std::cout << line.str();
} catch (const rondo::Error& error) {
  std::cerr << "subgroups: " << error.what() << "\n";
  return 1;
}
