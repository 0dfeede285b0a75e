#include "transport/conformance.hpp"
#include "transport/process_world.hpp"

int main(int argc, char** argv) {
  const auto make = [](int ranks) {
    return rondo::process::make_world(ranks, rondo::process::Medium::tcp);
  };
  return rondo::conformance::run_tests(argc, argv, "tcp", make);
}
