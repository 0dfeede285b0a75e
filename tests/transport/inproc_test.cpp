#include "transport/inproc.hpp"

#include "transport/conformance.hpp"

int main(int argc, char** argv) {
  return rondo::conformance::run_tests(argc, argv, "inproc", rondo::make_inproc);
}
