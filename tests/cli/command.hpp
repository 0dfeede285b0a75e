#pragma once

// The command as a user meets it: what it prints and how it exits.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace rondo::testing {

/// Of the command; main() sets it.
inline std::string command_path;

/// An environment variable that has a value as long as this lives.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    const char* const former = std::getenv(name);
    was_set_ = former != nullptr;
    if (was_set_) former_ = former;
    setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (was_set_) {
      setenv(name_, former_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* name_;
  bool was_set_ = false;
  std::string former_;
};

struct Outcome {
  int exit_code = -1;
  std::string output;  // both streams
};

inline Outcome rondo(const std::string& arguments) {
  Outcome outcome;
  FILE* pipe = popen(("'" + command_path + "' " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer;
  for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    outcome.output.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
  return outcome;
}

inline void expect(const std::string& arguments, int exit_code, const std::string& text) {
  const Outcome outcome = rondo(arguments);
  EXPECT_EQ(outcome.exit_code, exit_code) << "rondo " << arguments << "\n" << outcome.output;
  EXPECT_NE(outcome.output.find(text), std::string::npos)
      << "rondo " << arguments << "\nfound:    " << outcome.output << "\nexpected: " << text;
}

}  // namespace rondo::testing
