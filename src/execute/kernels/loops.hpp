#pragma once

// The loops over elements, and the table of all of them.

#include "execute/kernels/kernels.hpp"
#include "execute/kernels/operations.hpp"

namespace rondo {

namespace {

enum class Stores { plain, streaming };

// More sources than this are folded in several passes over a block, since each has lines in the
// first cache, whose sets they may share: it has 8 ways or more.
constexpr std::size_t sources_a_pass = 8;
// Bytes of a source that the passes go over: the lanes they become stay in the first cache.
constexpr std::size_t block = 4096;

/// `Units` times Elements<T>::Bytes, as far as compilers keep them in registers.
template <class T, std::size_t Units>
struct Group {
  using Half = Group<T, Units / 2>;
  using Lanes = Two<typename Half::Lanes>;
  static constexpr std::size_t bytes = 2 * Half::bytes;

  RONDO_INLINE static Lanes get(const std::byte* from) {
    return {Half::get(from), Half::get(from + Half::bytes)};
  }
  template <Fit fit, Stores stores>
  RONDO_INLINE static void put(std::byte* to, Lanes lanes) {
    Half::template put<fit, stores>(to, lanes.first);
    Half::template put<fit, stores>(to + Half::bytes, lanes.second);
  }
};

template <class T>
struct Group<T, 1> {
  using Bytes = typename Elements<T>::Bytes;
  using Lanes = typename Elements<T>::Lanes;
  static constexpr std::size_t bytes = sizeof(Bytes);

  RONDO_INLINE static Lanes get(const std::byte* from) {
    return Elements<T>::widen(load<Bytes>(from));
  }
  template <Fit fit, Stores stores>
  RONDO_INLINE static void put(std::byte* to, Lanes lanes) {
    const Bytes raw = Elements<T>::template narrow<fit>(lanes);
    if constexpr (stores == Stores::streaming) {
      stream(to, raw);
    } else {
      store(to, raw);
    }
  }
};

/// The beginning or the end of a buffer: `length` bytes, fewer than those of a group.
template <class T>
struct Part {
  using Bytes = typename Elements<T>::Bytes;
  using Lanes = typename Elements<T>::Lanes;
  std::size_t length;

  RONDO_INLINE Lanes get(const std::byte* from) const {
    return Elements<T>::widen(load_part<Bytes>(from, length));
  }
  template <Fit fit, Stores>
  RONDO_INLINE void put(std::byte* to, Lanes lanes) const {
    store_part(to, Elements<T>::template narrow<fit>(lanes), length);
  }
};

/// How often Elements<T>::Bytes are taken at once: until four vectors of lanes are folded.
template <class T>
constexpr std::size_t units = 4 * width / sizeof(typename Elements<T>::Lanes);

/// Fewer bytes than this are not worth a part at the beginning.
constexpr std::size_t alignable_bytes = 8 * width;

template <class T>
RONDO_INLINE bool is_alignable(const void* destination, std::size_t bytes) {
  return bytes >= alignable_bytes &&
         reinterpret_cast<std::uintptr_t>(destination) % alignof(T) == 0;
}

/// Bytes before the first place at which `destination`, an aligned T*, can be streamed to.
template <class T>
RONDO_INLINE std::size_t bytes_to_group(const void* destination) {
  return -reinterpret_cast<std::uintptr_t>(destination) % Group<T, 1>::bytes;
}

/// Calls step(group, offset) for groups of one until `end`, and a part at the end.
template <class T, class Step>
RONDO_INLINE void walk(std::size_t begin, std::size_t end, Step step) {
  constexpr std::size_t unit = Group<T, 1>::bytes;
  for (; begin + unit <= end; begin += unit) step(Group<T, 1>{}, begin);
  if (begin < end) step(Part<T>{end - begin}, begin);
}

/// The same over all bytes of a destination, in larger groups as long as there are any. Stores of
/// these do not cross lines.
template <class T, class Step>
RONDO_INLINE void sweep(const void* destination, std::size_t end, Step step) {
  using Large = Group<T, units<T>>;
  std::size_t begin = 0;
  if (is_alignable<T>(destination, end)) {
    begin = bytes_to_group<T>(destination);
    if (begin > 0) step(Part<T>{begin}, 0);
  }
  for (; begin + Large::bytes <= end; begin += Large::bytes) step(Large{}, begin);
  walk<T>(begin, end, step);
}

RONDO_INLINE const std::byte* place(const void* pointer, std::size_t offset) {
  return static_cast<const std::byte*>(pointer) + offset;
}

template <class Op, class G, class Lanes>
RONDO_INLINE Lanes fold_range(G group, Lanes folded, const void* const* sources, std::size_t begin,
                              std::size_t end, std::size_t offset) {
  for (std::size_t s = begin; s < end; ++s) {
    folded = fold<Op>(folded, group.get(place(sources[s], offset)));
  }
  return folded;
}

// In all that follows the destination may be any source: what is read of a place is read before it
// is written.

/// Up to sources_a_pass sources.
template <class T, class Op, class Finish, Stores stores>
RONDO_INLINE void fold_once(std::byte* destination, const void* const* sources,
                            std::size_t source_count, std::size_t bytes, Finish finish) {
  sweep<T>(destination, bytes, [=](auto group, std::size_t offset) RONDO_INLINED {
    const auto first = group.get(place(sources[0], offset));
    const auto folded = fold_range<Op>(group, first, sources, 1, source_count, offset);
    group.template put<Op::fit, stores>(destination + offset, finish(folded));
  });
}

/// Any number of sources, of a block at most. What is folded is rounded after the last pass only.
template <class T, class Op, class Finish, Stores stores>
RONDO_INLINE void fold_block(std::byte* destination, const void* const* sources,
                             std::size_t source_count, std::size_t begin, std::size_t end,
                             Finish finish) {
  constexpr std::size_t unit = Group<T, 1>::bytes;
  typename Elements<T>::Lanes folded[block / unit];
  walk<T>(begin, end, [&](auto group, std::size_t offset) RONDO_INLINED {
    folded[(offset - begin) / unit] = fold_range<Op>(group, group.get(place(sources[0], offset)),
                                                     sources, 1, sources_a_pass, offset);
  });
  for (std::size_t s = sources_a_pass; s < source_count; s += sources_a_pass) {
    const std::size_t left = source_count - s;
    const std::size_t last = s + (left < sources_a_pass ? left : sources_a_pass);
    walk<T>(begin, end, [&](auto group, std::size_t offset) RONDO_INLINED {
      auto& lanes = folded[(offset - begin) / unit];
      lanes = fold_range<Op>(group, lanes, sources, s, last, offset);
    });
  }
  walk<T>(begin, end, [&](auto group, std::size_t offset) RONDO_INLINED {
    const auto lanes = finish(folded[(offset - begin) / unit]);
    group.template put<Op::fit, stores>(destination + offset, lanes);
  });
}

template <class T, class Op, class Finish, Stores stores>
RONDO_INLINE void fold_in_passes(std::byte* destination, const void* const* sources,
                                 std::size_t source_count, std::size_t bytes, Finish finish) {
  const std::size_t head = is_alignable<T>(destination, bytes) ? bytes_to_group<T>(destination) : 0;
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < bytes; begin = end) {
    const std::size_t most = begin == 0 && head > 0 ? head : block;
    end = bytes - begin < most ? bytes : begin + most;
    fold_block<T, Op, Finish, stores>(destination, sources, source_count, begin, end, finish);
  }
}

/// Bit for bit, whatever the type.
template <Stores stores>
void copy(std::byte* destination, const void* source, std::size_t bytes) {
  if constexpr (stores == Stores::plain) {
    if (destination != source) __builtin_memcpy(destination, source, bytes);
  } else {
    fold_once<std::uint8_t, Sum, Keep, stores>(destination, &source, 1, bytes, Keep(1));
  }
}

// The kernels themselves. T says how elements are folded, and Finish what becomes of the result.

template <class T, class Op, class Finish>
void fold_two(void* destination, const void* const* sources, std::size_t, std::size_t count,
              int divisor) {
  fold_once<T, Op, Finish, Stores::plain>(static_cast<std::byte*>(destination), sources, 2,
                                          count * sizeof(T), Finish(divisor));
}

template <class T, class Op, class Finish, Stores stores>
void fold_many(void* destination, const void* const* sources, std::size_t source_count,
               std::size_t count, int divisor) {
  auto* const to = static_cast<std::byte*>(destination);
  const std::size_t bytes = count * sizeof(T);
  if constexpr (stores == Stores::streaming) {
    if (!is_alignable<T>(to, bytes)) {
      return fold_many<T, Op, Finish, Stores::plain>(to, sources, source_count, count, divisor);
    }
  }
  const Finish finish(divisor);
  if (source_count == 1 && std::is_same_v<Finish, Keep>) {
    copy<stores>(to, sources[0], bytes);
  } else if (source_count <= sources_a_pass) {
    fold_once<T, Op, Finish, stores>(to, sources, source_count, bytes, finish);
  } else {
    fold_in_passes<T, Op, Finish, stores>(to, sources, source_count, bytes, finish);
  }
  if constexpr (stores == Stores::streaming) finish_streaming();
}

template <Stores stores>
using StoresAre = std::integral_constant<Stores, stores>;

/// The same result in two places. They are streamed to where lines begin at the same elements.
template <class T, class Op, class Finish, Stores other_stores>
void fold_twice(void* destination, void* other, const void* const* sources, std::size_t count,
                int divisor) {
  auto* const to = static_cast<std::byte*>(destination);
  auto* const also_to = static_cast<std::byte*>(other);
  const std::size_t bytes = count * sizeof(T);
  const Finish finish(divisor);
  const auto fold_all = [=]<Stores stores, Stores also>(StoresAre<stores>,
                                                        StoresAre<also>) RONDO_INLINED {
    sweep<T>(to, bytes, [=](auto group, std::size_t offset) RONDO_INLINED {
      const auto first = group.get(place(sources[0], offset));
      const auto folded = finish(fold_range<Op>(group, first, sources, 1, 2, offset));
      group.template put<Op::fit, stores>(to + offset, folded);
      group.template put<Op::fit, also>(also_to + offset, folded);
    });
  };
  if (is_alignable<T>(to, bytes) && bytes_to_group<T>(to) == bytes_to_group<T>(also_to)) {
    fold_all(StoresAre<Stores::streaming>{}, StoresAre<other_stores>{});
    finish_streaming();
  } else {
    fold_all(StoresAre<Stores::plain>{}, StoresAre<Stores::plain>{});
  }
}

/// A sum that is divided only where there is something to divide by.
template <TwinKernel sum, TwinKernel average>
void average_or_sum_twice(void* destination, void* other, const void* const* sources,
                          std::size_t count, int divisor) {
  (divisor > 1 ? average : sum)(destination, other, sources, count, divisor);
}

/// The same into one place.
template <Kernel sum, Kernel average>
void average_or_sum(void* destination, const void* const* sources, std::size_t source_count,
                    std::size_t count, int divisor) {
  (divisor > 1 ? average : sum)(destination, sources, source_count, count, divisor);
}

// The table.

/// What integers are folded as where it makes no difference: unsigned ones wrap.
template <class T, bool = std::is_integral_v<T>>
struct WrappingOf {
  using Type = T;
};
template <class T>
struct WrappingOf<T, true> {
  using Type = std::make_unsigned_t<T>;
};

template <class T, class Op, class Finish = Keep>
constexpr void enter(KernelTable& table, DType dtype, rondo::Op op) {
  const auto row = static_cast<std::size_t>(dtype);
  const auto column = static_cast<std::size_t>(op);
  table.two[row][column] = fold_two<T, Op, Finish>;
  table.many[row][column] = fold_many<T, Op, Finish, Stores::plain>;
  table.streaming[row][column] = fold_many<T, Op, Finish, Stores::streaming>;
  table.twin[row][column] = fold_twice<T, Op, Finish, Stores::plain>;
  table.twin_streaming[row][column] = fold_twice<T, Op, Finish, Stores::streaming>;
}

template <class T>
constexpr void enter_average(KernelTable& table, DType dtype) {
  using W = typename WrappingOf<T>::Type;
  using By = Divide<T>;
  const auto row = static_cast<std::size_t>(dtype);
  const auto column = static_cast<std::size_t>(Op::avg);
  table.two[row][column] = average_or_sum<fold_two<W, Sum, Keep>, fold_two<W, Sum, By>>;
  table.many[row][column] =
      average_or_sum<fold_many<W, Sum, Keep, Stores::plain>, fold_many<W, Sum, By, Stores::plain>>;
  table.streaming[row][column] = average_or_sum<fold_many<W, Sum, Keep, Stores::streaming>,
                                                fold_many<W, Sum, By, Stores::streaming>>;
  table.twin[row][column] = average_or_sum_twice<fold_twice<W, Sum, Keep, Stores::plain>,
                                                 fold_twice<W, Sum, By, Stores::plain>>;
  table.twin_streaming[row][column] =
      average_or_sum_twice<fold_twice<W, Sum, Keep, Stores::streaming>,
                           fold_twice<W, Sum, By, Stores::streaming>>;
}

template <class T>
constexpr void enter_all(KernelTable& table) {
  constexpr DType dtype = dtype_of<T>::value;
  using W = typename WrappingOf<T>::Type;
  enter<W, Sum>(table, dtype, Op::sum);
  enter<W, Prod>(table, dtype, Op::prod);
  enter<T, Min>(table, dtype, Op::min);
  enter<T, Max>(table, dtype, Op::max);
  enter_average<T>(table, dtype);
  if constexpr (std::is_integral_v<T>) {
    enter<W, And>(table, dtype, Op::band);
    enter<W, Or>(table, dtype, Op::bor);
    enter<W, Xor>(table, dtype, Op::bxor);
    enter<W, Logical<And>>(table, dtype, Op::land);
    enter<W, Logical<Or>>(table, dtype, Op::lor);
    enter<W, Logical<Xor>>(table, dtype, Op::lxor);
  }
}

constexpr KernelTable make_kernels() {
  KernelTable table = {};
  enter_all<std::int8_t>(table);
  enter_all<std::uint8_t>(table);
  enter_all<std::int16_t>(table);
  enter_all<std::uint16_t>(table);
  enter_all<std::int32_t>(table);
  enter_all<std::uint32_t>(table);
  enter_all<std::int64_t>(table);
  enter_all<std::uint64_t>(table);
  enter_all<f16>(table);
  enter_all<bf16>(table);
  enter_all<float>(table);
  enter_all<double>(table);
  enter_all<f8e4m3>(table);
  enter_all<f8e5m2>(table);
  return table;
}

}  // namespace

}  // namespace rondo
