// usage: TEST [emulated|cuda]

#include <gtest/gtest.h>

#include <iostream>

#include "harness.hpp"

int main(int argc, char** argv) {
  constexpr int skipped = 77;  // to Meson
  testing::InitGoogleTest(&argc, argv);
  const std::string missing = rondo::test::choose_devices(argc > 1 ? argv[1] : "emulated");
  if (!missing.empty()) {
    std::cout << "There is no device to test with: " << missing << std::endl;
    return skipped;
  }
  if (rondo::test::was_peer(argc, argv)) return 0;
  const int status = RUN_ALL_TESTS();
  rondo::test::leave_devices();
  return status;
}
