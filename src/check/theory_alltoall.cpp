#include <bit>

#include "check/theories.hpp"

namespace rondo {

namespace {

Theory pairwise_figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const std::uint64_t messages = std::uint64_t{p} * (p - 1);
  // The own block, and those that come before their place is free.
  const std::uint64_t copies = std::uint64_t{p} * (1 + p / 2);
  return {p, p - 1, p - 1, messages, 2 * messages + copies};
}

Formula pairwise_formula(const Plan&) {
  return {"p-1", "(p-1)/p n"};
}

bool has_pairwise_link(const Plan&, int, int, int channel) {
  return channel == 0;
}

// A block that has to go i ranks further is sent once for each bit of i. Every i is an odd number
// times a power of two: so each i begins one run of slots that is packed, and, unless it is a power
// of two itself, unpacked into slots; the others are at their destination one by one.
Theory bruck_figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const auto rounds = static_cast<std::uint32_t>(std::bit_width(p - 1));
  std::uint64_t sent = 0;
  for (std::uint32_t i = 1; i < p; ++i) sent += static_cast<std::uint64_t>(std::popcount(i));
  const std::uint64_t filled = p - 1;
  const std::uint64_t packed = p - 1;
  const std::uint64_t unpacked = p - 1 - rounds;
  const std::uint64_t delivered = p;  // with the own one
  const std::uint64_t copies = filled + packed + unpacked + delivered;
  return {p, rounds, sent, p * sent, p * (2 * std::uint64_t{rounds} + copies)};
}

Formula bruck_formula(const Plan&) {
  return {"ceil(log2 p)", "log2(p)/2 n"};
}

bool has_bruck_link(const Plan& plan, int from, int to, int channel) {
  const auto distance = static_cast<unsigned>((to - from + plan.ranks) % plan.ranks);
  return channel == 0 && std::has_single_bit(distance);
}

}  // namespace

const Promise pairwise_promise = {&pairwise_figures, &pairwise_formula, &has_pairwise_link};
const Promise bruck_promise = {&bruck_figures, &bruck_formula, &has_bruck_link};

}  // namespace rondo
