#include "execute/isa.hpp"

#include <array>
#include <atomic>

#include "base/invariant.hpp"
#include "base/text.hpp"
#include "execute/kernels/kernels.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace rondo {

namespace {

constexpr std::array<std::string_view, isa_count> isa_names = {"baseline", "avx2", "avx512"};

// None has been chosen yet while this is isa_count.
std::atomic<int> chosen{isa_count};

#if defined(__x86_64__)
bool has_f16c() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}
#endif

// Null where there is none, or none that could run here.
const KernelTable* find_table(Isa isa) {
  switch (isa) {
    case Isa::baseline:
      return &baseline_kernels;
#if defined(__x86_64__)
    // These also ask whether the system saves the registers.
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c()
                 ? &avx2_kernels
                 : nullptr;
    case Isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                     __builtin_cpu_supports("fma") && has_f16c()
                 ? &avx512_kernels
                 : nullptr;
#else
    case Isa::avx2:
    case Isa::avx512:
      break;
#endif
  }
  return nullptr;
}

using Tables = std::array<const KernelTable*, isa_count>;

// The processor is asked once: behind a hypervisor, each question takes a microsecond.
const Tables& tables() {
  static const Tables found = {find_table(Isa::baseline), find_table(Isa::avx2),
                               find_table(Isa::avx512)};
  return found;
}

}  // namespace

std::string_view name(Isa isa) {
  return isa_names[static_cast<std::size_t>(isa)];
}

std::optional<Isa> parse_isa(std::string_view text) {
  for (int i = 0; i < isa_count; ++i) {
    if (text == name(static_cast<Isa>(i))) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

bool is_supported(Isa isa) {
  return tables()[static_cast<std::size_t>(isa)] != nullptr;
}

std::string supported_isas() {
  return all_names<Isa>(isa_count, [](Isa isa) { return is_supported(isa); });
}

Isa isa_in_use() {
  int isa = chosen.load(std::memory_order_relaxed);
  if (isa == isa_count) {
    do --isa;
    while (!is_supported(static_cast<Isa>(isa)));
    int none = isa_count;
    if (!chosen.compare_exchange_strong(none, isa, std::memory_order_relaxed)) isa = none;
  }
  return static_cast<Isa>(isa);
}

void use_isa(Isa isa) {
  RONDO_INVARIANT(is_supported(isa), ==, true);
  chosen.store(static_cast<int>(isa), std::memory_order_relaxed);
}

const KernelTable& kernels_in_use() {
  return *tables()[static_cast<std::size_t>(isa_in_use())];
}

}  // namespace rondo
