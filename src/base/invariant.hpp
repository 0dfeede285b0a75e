#pragma once

// A broken invariant is a bug in rondo: it throws InvariantBroken with both operands, which the API
// boundary turns into an error. No library call ever ends the process.

#include <sstream>
#include <stdexcept>
#include <string>

namespace rondo {

class InvariantBroken : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

template <class A, class B>
[[noreturn]] void invariant_broken(const char* expression, const char* file, int line, const A& a,
                                   const B& b) {
  std::ostringstream text;
  text << "rondo bug at " << file << ":" << line << ": " << expression << " (" << +a << " against "
       << +b << ")";
  throw InvariantBroken(text.str());
}

}  // namespace rondo

#define RONDO_INVARIANT(a, op, b)                                                    \
  do {                                                                               \
    const auto& left_operand = (a);                                                  \
    const auto& right_operand = (b);                                                 \
    if (!(left_operand op right_operand)) {                                          \
      ::rondo::invariant_broken(#a " " #op " " #b, __FILE__, __LINE__, left_operand, \
                                right_operand);                                      \
    }                                                                                \
  } while (false)
