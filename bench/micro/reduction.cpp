// Bytes of the sources that a reduction kernel reads per second, and bytes of the result, for each
// instruction set that this machine has.
//
//   build/bench/micro/bench_reduction --benchmark_filter=avx512/in_place/f32

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "execute/isa.hpp"
#include "execute/reduction.hpp"

namespace {

using namespace rondo;

enum class Target { in_place, apart };

// Buffers of ones: values that stay normal numbers however often they are folded.
std::vector<std::byte> make_ones(DType dtype, std::size_t bytes) {
  std::vector<std::byte> buffer(bytes);
  const auto fill = [&](auto one) {
    for (std::size_t i = 0; i + sizeof(one) <= bytes; i += sizeof(one)) {
      std::memcpy(buffer.data() + i, &one, sizeof(one));
    }
  };
  switch (dtype) {
    case DType::f16:
      fill(f16(1));
      break;
    case DType::bf16:
      fill(bf16(1));
      break;
    case DType::f8e4m3:
      fill(f8e4m3(1));
      break;
    case DType::f8e5m2:
      fill(f8e5m2(1));
      break;
    case DType::f32:
      fill(1.0f);
      break;
    case DType::f64:
      fill(1.0);
      break;
    default:
      std::memset(buffer.data(), 1, bytes);
  }
  return buffer;
}

struct Case {
  Isa isa;
  DType dtype;
  Op op;
  std::size_t sources;
};

void report(benchmark::State& state, std::size_t sources) {
  const auto result = static_cast<double>(state.iterations() * state.range(0));
  state.SetBytesProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(sources));
  state.counters["result/s"] =
      benchmark::Counter(result, benchmark::Counter::kIsRate, benchmark::Counter::kIs1000);
}

void run(benchmark::State& state, const Case& c, Target target, Store store) {
  use_isa(c.isa);
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<std::vector<std::byte>> memory(c.sources, make_ones(c.dtype, bytes));
  std::vector<std::byte> apart(bytes);
  std::vector<const void*> sources;
  for (const auto& source : memory) sources.push_back(source.data());
  void* destination = target == Target::apart ? apart.data() : memory.back().data();
  const int divisor = c.op == Op::avg ? static_cast<int>(c.sources) : 1;
  for (auto _ : state) {
    reduce(c.dtype, c.op, destination, sources, bytes / size_of(c.dtype), divisor, store);
    benchmark::ClobberMemory();
  }
  report(state, c.sources);
}

// One element with a kernel that was looked up before: what a call costs at least.
void call(benchmark::State& state, Isa isa, DType dtype) {
  use_isa(isa);
  const std::vector<std::byte> ones = make_ones(dtype, 64);
  const std::array<const void*, 2> sources = {ones.data(), ones.data() + 32};
  std::array<std::byte, 8> result{};
  const Reduction reduction(dtype, Op::sum);
  for (auto _ : state) {
    reduction.into(result.data(), sources, 1);
    benchmark::ClobberMemory();
  }
}

// The same, looked up again each time.
void look_up_and_call(benchmark::State& state, Isa isa, DType dtype) {
  use_isa(isa);
  const std::vector<std::byte> ones = make_ones(dtype, 64);
  const std::array<const void*, 2> sources = {ones.data(), ones.data() + 32};
  std::array<std::byte, 8> result{};
  for (auto _ : state) {
    reduce(dtype, Op::sum, result.data(), sources, 1);
    benchmark::ClobberMemory();
  }
}

void add(const Case& c, Target target, Store store = Store::cached) {
  const std::string title = concat(name(c.isa), target == Target::apart ? "/apart" : "/in_place",
                                   store == Store::streaming ? "_streaming/" : "/", name(c.dtype),
                                   "/", name(c.op), "/", c.sources);
  benchmark::RegisterBenchmark(title.c_str(), run, c, target, store)
      ->Arg(4 << 10)    // in the first cache
      ->Arg(128 << 10)  // in the second
      ->Arg(16 << 20);  // in memory
}

void add_all(Isa isa) {
  for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64,
                            DType::u8, DType::f8e4m3, DType::f8e5m2}) {
    add({isa, dtype, Op::sum, 2}, Target::in_place);
  }
  for (const Op op : {Op::prod, Op::min, Op::max, Op::avg}) {
    for (const DType dtype : {DType::f32, DType::i32, DType::f16, DType::bf16}) {
      add({isa, dtype, op, 2}, Target::in_place);
    }
  }
  for (const Op op : {Op::band, Op::land}) add({isa, DType::i32, op, 2}, Target::in_place);
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::i32}) {
    for (const std::size_t sources : {2, 4, 8, 16}) {
      add({isa, dtype, Op::sum, sources}, Target::apart);
      add({isa, dtype, Op::sum, sources}, Target::apart, Store::streaming);
    }
  }
  for (const DType dtype : {DType::f32, DType::bf16, DType::u8}) {
    const std::string title = concat(name(isa), "/one_element/", name(dtype));
    benchmark::RegisterBenchmark((title + "/kept").c_str(), call, isa, dtype);
    benchmark::RegisterBenchmark((title + "/looked_up").c_str(), look_up_and_call, isa, dtype);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (is_supported(isa)) add_all(isa);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
