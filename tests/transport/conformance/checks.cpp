#include <gtest/gtest.h>

#include "transport/conformance/session.hpp"

namespace rondo::conformance {

namespace {

class CheckTest : public ::testing::Test {
 public:
  CheckTest(const Check& check, const Factory& factory, const Options& options)
      : check_(check), factory_(factory), options_(options) {}
  void TestBody() override {
    for (const std::string& failure : check_.run(factory_, options_)) ADD_FAILURE() << failure;
  }

 private:
  const Check& check_;
  Factory factory_;
  Options options_;
};

}  // namespace

const std::vector<Check>& checks() {
  static const std::vector<Check> all = [] {
    std::vector<Check> list;
    for (const auto& part :
         {message_checks(), waiting_checks(), failure_checks(), split_checks()}) {
      list.insert(list.end(), part.begin(), part.end());
    }
    return list;
  }();
  return all;
}

int run_tests(int argc, char** argv, const char* transport, Factory factory, Options options) {
  ::testing::InitGoogleTest(&argc, argv);
  for (const Check& check : checks()) {
    ::testing::RegisterTest(transport, std::string(check.name).c_str(), nullptr, nullptr, __FILE__,
                            __LINE__, [&check, factory, options]() -> CheckTest* {
                              return new CheckTest(check, factory, options);
                            });
  }
  return RUN_ALL_TESTS();
}

}  // namespace rondo::conformance
