// What rondo run's tests start: says what its rank knows of the world and what the ranks sum up to,
// or why there is none.

#include <iostream>
#include <string>

#include "rondo/rondo.hpp"
#include "rondo/simulate.hpp"
#include "rondo/topology.hpp"

int main() {
  try {
    rondo::Communicator comm = rondo::Communicator::from_env();
    const rondo::Topology& topology = comm.topology();
    const std::string text = "topology " + std::to_string(rondo::hash(topology)) + " hosts " +
                             std::to_string(topology.hosts.size()) + " ranks " +
                             std::to_string(topology.ranks.size()) + " pus " +
                             std::to_string(topology.ranks.at(0).pus.size()) + " costs " +
                             std::to_string(std::hash<std::string>()(to_text(comm.costs()))) +
                             " sum " + std::to_string(comm.allreduce_value(comm.rank() + 1)) + "\n";
    std::cout << text;
  } catch (const rondo::Error& error) {
    std::cerr << error.text() << "\n";
    return 4;
  }
  return 0;
}
