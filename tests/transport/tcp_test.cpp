#include "transport/conformance.hpp"
#include "transport/tcp_world.hpp"

int main(int argc, char** argv) {
  return rondo::conformance::run_tests(argc, argv, "tcp", rondo::tcp::make_world);
}
