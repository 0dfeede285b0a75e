// The argument is the path of the command.

#include "cli/command.hpp"
#include "harness/folder.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1) rondo::testing::command_path = argv[1];
  // What other tests measured is nothing to these.
  const rondo::testing::Folder cache;
  const rondo::testing::Variable own_cache("RONDO_CACHE_DIR", cache.path());
  return RUN_ALL_TESTS();
}
