#include "bench/data.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/hash.hpp"

namespace rondo::bench {

namespace {

constexpr std::size_t batch = 512;  // elements that are generated and compared at a time

template <class T>
struct FloatFormat;
template <>
struct FloatFormat<f16> {
  static constexpr int bits = 11;  // of the significand, with the hidden one
  static constexpr int min_exponent = -14;
  static constexpr std::uint64_t max_factors = 12;  // of 2 or 1/2 that stay normal
};
template <>
struct FloatFormat<bf16> {
  static constexpr int bits = 8;
  static constexpr int min_exponent = -126;
  static constexpr std::uint64_t max_factors = 120;
};
template <>
struct FloatFormat<f8e4m3> {
  static constexpr int bits = 4;
  static constexpr int min_exponent = -6;
  static constexpr std::uint64_t max_factors = 6;
};
template <>
struct FloatFormat<f8e5m2> {
  static constexpr int bits = 3;
  static constexpr int min_exponent = -14;
  static constexpr std::uint64_t max_factors = 12;
};
template <>
struct FloatFormat<float> {
  static constexpr int bits = 24;
  static constexpr int min_exponent = -126;
  static constexpr std::uint64_t max_factors = 120;
};
template <>
struct FloatFormat<double> {
  static constexpr int bits = 53;
  static constexpr int min_exponent = -1022;
  static constexpr std::uint64_t max_factors = 1000;
};

template <class T>
T rounded(double value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<T>(value);
  } else {
    return T(static_cast<float>(value));
  }
}

template <class T>
long double widened(T value) {
  if constexpr (std::is_arithmetic_v<T>) {
    return value;
  } else {
    return static_cast<float>(value);
  }
}

template <class T>
class Generator {
 public:
  explicit Generator(const Pattern& pattern)
      : pattern_(pattern),
        ranks_(static_cast<std::uint64_t>(pattern.ranks)),
        reduced_(pattern.reduced > 0 ? pattern.reduced : pattern.ranks),
        contributors_(std::min(ranks_, most_contributors())),
        largest_(largest_total() / contributors_) {
    for (std::uint64_t rank = 0; rank < ranks_; ++rank) {
      keys_.push_back(splitmix(splitmix(pattern.seed) + rank));
    }
  }

  T input(int rank, std::uint64_t index) const {
    const std::uint64_t random =
        splitmix(keys_[static_cast<std::size_t>(rank)] + index * 0xd1342543de82ef95u);
    if (!pattern_.reduces) {
      T bits;
      std::memcpy(static_cast<void*>(&bits), &random, sizeof(T));
      return bits;
    }
    if constexpr (std::is_integral_v<T>) {
      return integer(static_cast<std::uint64_t>(rank), index, random);
    } else {
      if (pattern_.random) return rounded<T>(random_float(random));
      return rounded<T>(exact_float(static_cast<std::uint64_t>(rank), index, random));
    }
  }

  /// The one right result of exact data, and of integers.
  T reduction(std::uint64_t index) const {
    T total = input(0, index);
    auto wide = accumulator(total);
    for (int rank = 1; rank < reduced_; ++rank) {
      wide = combine(wide, accumulator(input(rank, index)));
    }
    if (pattern_.op == Op::avg) wide /= static_cast<decltype(wide)>(pattern_.ranks);
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(wide);
    } else {
      return rounded<T>(wide);
    }
  }

  /// How far `actual` is from the result of random floats, in units in the last place of the
  /// largest partial result; and how far rounding can take it.
  double distance_ulp(std::uint64_t index, T actual) const {
    long double total = widened(input(0, index));
    long double magnitude = std::fabs(total);
    for (int rank = 1; rank < reduced_; ++rank) {
      const long double next = widened(input(rank, index));
      total = wide_combine(total, next);
      magnitude += std::fabs(next);
    }
    if (pattern_.op == Op::avg) {
      total /= pattern_.ranks;
      magnitude /= pattern_.ranks;
    }
    if (pattern_.op == Op::prod) magnitude = std::fabs(total);
    const int exponent = std::max(std::ilogb(magnitude), FloatFormat<T>::min_exponent);
    const long double unit = std::ldexp(1.0L, exponent - FloatFormat<T>::bits + 1);
    const long double distance = std::fabs(widened(actual) - total) / unit;
    return std::isnan(distance) ? std::numeric_limits<double>::infinity()
                                : static_cast<double>(distance);
  }

  /// Half a unit for each addition that rounds, twice that for products, whose partial results can
  /// have the wider unit; one more for the division and the reference itself.
  double tolerance_ulp() const {
    const double n = pattern_.ranks;
    switch (pattern_.op) {
      case Op::sum:
      case Op::avg:
        return n / 2 + 1;
      case Op::prod:
        return n + 1;
      default:
        return 0;
    }
  }

 private:
  static constexpr bool is_integer = std::is_integral_v<T>;

  /// The largest absolute value that exact sums may reach.
  static constexpr std::uint64_t largest_total() {
    if constexpr (is_integer) {
      return std::min<std::uint64_t>(std::numeric_limits<T>::max(), std::uint64_t{1} << 62);
    } else {
      return std::uint64_t{1} << FloatFormat<T>::bits;
    }
  }

  std::uint64_t most_contributors() const {
    if constexpr (is_integer) {
      if (pattern_.op == Op::band || pattern_.op == Op::bor) return 8 * sizeof(T);
      if (pattern_.op == Op::land || pattern_.op == Op::lor) return 1;
    } else {
      if (pattern_.op == Op::prod) return FloatFormat<T>::max_factors;
    }
    return std::max<std::uint64_t>(largest_total() / 4, 4);
  }

  bool contributes(std::uint64_t rank, std::uint64_t index) const {
    return contributors_ == ranks_ || (rank + index) % ranks_ < contributors_;
  }

  T integer(std::uint64_t rank, std::uint64_t index, std::uint64_t random) const {
    if (pattern_.op == Op::avg) {
      // Sums that stay in range: whether a sum that wraps is divided is nobody's business here.
      if (!contributes(rank, index)) return 0;
      const auto value = static_cast<T>(1 + (random >> 1) % largest_);
      return std::is_signed_v<T> && (random & 1) != 0 ? static_cast<T>(0 - value) : value;
    }
    if (pattern_.op >= Op::band) return bits(rank, index, random);
    // Odd factors: multiplication by them loses nothing, also when it wraps.
    const auto value = static_cast<T>(pattern_.op == Op::prod ? random | 1 : random);
    const T neutral = pattern_.op == Op::prod ? 1 : 0;
    return value == neutral ? T{3} : value;
  }

  // For bitwise operations that forget, one bit, which hides few of those of other ranks. Truth
  // comes as any number but 0.
  T bits(std::uint64_t rank, std::uint64_t index, std::uint64_t random) const {
    const bool is_true = (random & 1) != 0;
    const T truth = static_cast<T>(random >> 1) == 0 ? T{2} : static_cast<T>(random >> 1);
    const auto bit = static_cast<T>(std::uint64_t{1} << (random >> 1) % (8 * sizeof(T)));
    switch (pattern_.op) {
      case Op::band:
        return static_cast<T>(contributes(rank, index) ? ~bit : ~T{0});
      case Op::bor:
        return contributes(rank, index) ? bit : T{0};
      case Op::land:
        return contributes(rank, index) && !is_true ? T{0} : truth;
      case Op::lor:
        return contributes(rank, index) && is_true ? truth : T{0};
      case Op::lxor:
        return is_true ? truth : T{0};
      default:
        return static_cast<T>(random);
    }
  }

  double exact_float(std::uint64_t rank, std::uint64_t index, std::uint64_t random) const {
    const double sign = (random & 1) != 0 ? -1 : 1;
    random >>= 1;
    if (pattern_.op == Op::prod) {
      if (!contributes(rank, index)) return 1;
      const double factor = (random & 1) != 0 ? 2 : 0.5;
      if (index % ranks_ != rank) return sign * factor;
      const std::uint64_t mantissas = std::uint64_t{1} << (FloatFormat<T>::bits - 1);
      return sign * factor *
             (1 + static_cast<double>((random >> 1) % mantissas) / static_cast<double>(mantissas));
    }
    const bool sums = pattern_.op == Op::sum || pattern_.op == Op::avg;
    if (sums && !contributes(rank, index)) return 0;
    const std::uint64_t limit = sums ? largest_ : largest_total();
    const auto scale = static_cast<double>(std::uint64_t{1} << (index % 5));
    return sign * scale * static_cast<double>(1 + random % limit);
  }

  double random_float(std::uint64_t random) const {
    const double uniform = static_cast<double>(random >> 11) * 0x1p-52 - 1;  // [-1, 1)
    if (pattern_.op != Op::prod) return uniform;
    // Near 1, and nearer the more factors there are, so that products stay in range.
    return 1 + uniform * std::min(0.25, 4.0 / pattern_.ranks);
  }

  static auto accumulator(T value) {
    if constexpr (is_integer) {
      // Unsigned arithmetic wraps; signed values are extended, so that one conversion back is right
      // for all operations.
      return static_cast<std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>(
          value);
    } else {
      return static_cast<double>(widened(value));
    }
  }

  template <class Wide>
  Wide combine(Wide a, Wide b) const {
    switch (pattern_.op) {
      case Op::min:
        return std::min(a, b);
      case Op::max:
        return std::max(a, b);
      default:
        break;
    }
    if constexpr (is_integer) {
      const auto left = static_cast<std::uint64_t>(a);
      const auto right = static_cast<std::uint64_t>(b);
      return static_cast<Wide>(combine_bits(left, right));
    } else {
      return pattern_.op == Op::prod ? a * b : a + b;
    }
  }

  std::uint64_t combine_bits(std::uint64_t a, std::uint64_t b) const {
    switch (pattern_.op) {
      case Op::prod:
        return a * b;
      case Op::band:
        return a & b;
      case Op::bor:
        return a | b;
      case Op::bxor:
        return a ^ b;
      case Op::land:
        return a != 0 && b != 0 ? 1 : 0;
      case Op::lor:
        return a != 0 || b != 0 ? 1 : 0;
      case Op::lxor:
        return (a != 0) != (b != 0) ? 1 : 0;
      default:
        return a + b;
    }
  }

  long double wide_combine(long double a, long double b) const {
    switch (pattern_.op) {
      case Op::min:
        return std::min(a, b);
      case Op::max:
        return std::max(a, b);
      case Op::prod:
        return a * b;
      default:
        return a + b;
    }
  }

  Pattern pattern_;
  std::uint64_t ranks_;
  int reduced_;
  std::uint64_t contributors_;            // ranks that are not neutral at one index
  std::uint64_t largest_;                 // absolute value of one contribution to an exact sum
  std::vector<std::uint64_t> keys_ = {};  // of the ranks' random numbers
};

template <class Body>
auto for_dtype(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::i8:
      return body(std::int8_t{});
    case DType::u8:
      return body(std::uint8_t{});
    case DType::i16:
      return body(std::int16_t{});
    case DType::u16:
      return body(std::uint16_t{});
    case DType::i32:
      return body(std::int32_t{});
    case DType::u32:
      return body(std::uint32_t{});
    case DType::i64:
      return body(std::int64_t{});
    case DType::u64:
      return body(std::uint64_t{});
    case DType::f16:
      return body(f16{});
    case DType::bf16:
      return body(bf16{});
    case DType::f32:
      return body(float{});
    case DType::f8e4m3:
      return body(f8e4m3{});
    case DType::f8e5m2:
      return body(f8e5m2{});
    case DType::f64:
      break;
  }
  return body(double{});
}

/// Counts the elements of `data` whose bits differ from those that `expected(index)` gives.
template <class T, class Expected>
Findings compare_bits(const void* data, std::size_t count, Expected&& expected) {
  Findings findings;
  std::array<T, batch> right;
  std::array<T, batch> actual;
  for (std::size_t done = 0; done < count; done += batch) {
    const std::size_t now = std::min(batch, count - done);
    for (std::size_t i = 0; i < now; ++i) right[i] = expected(done + i);
    std::memcpy(static_cast<void*>(actual.data()), static_cast<const T*>(data) + done,
                now * sizeof(T));
    if (std::memcmp(right.data(), actual.data(), now * sizeof(T)) == 0) continue;
    for (std::size_t i = 0; i < now; ++i) {
      findings.wrong += std::memcmp(&right[i], &actual[i], sizeof(T)) != 0;
    }
  }
  return findings;
}

}  // namespace

Findings& Findings::operator+=(const Findings& other) {
  wrong += other.wrong;
  max_ulp = std::max(max_ulp, other.max_ulp);
  return *this;
}

void fill_input(const Pattern& pattern, int rank, std::size_t first, void* data,
                std::size_t count) {
  for_dtype(pattern.dtype, [&]<class T>(T) {
    const Generator<T> generator(pattern);
    T* elements = static_cast<T*>(data);
    for (std::size_t i = 0; i < count; ++i) elements[i] = generator.input(rank, first + i);
  });
}

Findings compare_with_input(const Pattern& pattern, int rank, std::size_t first, const void* data,
                            std::size_t count) {
  return for_dtype(pattern.dtype, [&]<class T>(T) {
    const Generator<T> generator(pattern);
    return compare_bits<T>(data, count,
                           [&](std::size_t i) { return generator.input(rank, first + i); });
  });
}

Findings compare_with_reduction(const Pattern& pattern, std::size_t first, const void* data,
                                std::size_t count) {
  return for_dtype(pattern.dtype, [&]<class T>(T) {
    const Generator<T> generator(pattern);
    if constexpr (!std::is_integral_v<T>) {
      if (pattern.random) {
        Findings findings;
        for (std::size_t i = 0; i < count; ++i) {
          const double distance = generator.distance_ulp(first + i, static_cast<const T*>(data)[i]);
          findings.wrong += distance > generator.tolerance_ulp();
          findings.max_ulp = std::max(findings.max_ulp, distance);
        }
        return findings;
      }
    }
    return compare_bits<T>(data, count,
                           [&](std::size_t i) { return generator.reduction(first + i); });
  });
}

std::uint64_t fingerprint(const void* data, std::size_t bytes) {
  std::uint64_t state = splitmix(bytes);
  const auto* at = static_cast<const unsigned char*>(data);
  for (std::size_t done = 0; done < bytes; done += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at + done, std::min<std::size_t>(8, bytes - done));
    state = splitmix(state ^ word);
  }
  return state;
}

}  // namespace rondo::bench
