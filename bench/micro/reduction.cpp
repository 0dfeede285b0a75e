// Bytes of the sources that a reduction kernel reads per second.
//
//   build/bench/micro/bench_reduction --benchmark_filter=in_place/f32

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/text.hpp"
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

void run(benchmark::State& state, DType dtype, Op op, std::size_t count_of_sources, Target target) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  std::vector<std::vector<std::byte>> memory(count_of_sources, make_ones(dtype, bytes));
  std::vector<std::byte> apart(bytes);
  std::vector<const void*> sources;
  for (const auto& source : memory) sources.push_back(source.data());
  void* destination = target == Target::apart ? apart.data() : memory.back().data();
  const int divisor = op == Op::avg ? static_cast<int>(count_of_sources) : 1;
  for (auto _ : state) {
    reduce(dtype, op, destination, sources, bytes / size_of(dtype), divisor);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) *
                          static_cast<std::int64_t>(count_of_sources));
}

void add(const std::string& kind, DType dtype, Op op, std::size_t sources, Target target) {
  const std::string title = concat(kind, "/", name(dtype), "/", name(op), "/", sources);
  benchmark::RegisterBenchmark(title.c_str(), run, dtype, op, sources, target)
      ->Arg(4 << 10)    // in the first cache
      ->Arg(256 << 10)  // in the second
      ->Arg(16 << 20);  // in memory
}

void register_all() {
  for (const DType dtype :
       {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i32, DType::i64, DType::u8}) {
    add("in_place", dtype, Op::sum, 2, Target::in_place);
  }
  for (const Op op : {Op::prod, Op::min, Op::max, Op::avg}) {
    add("in_place", DType::f32, op, 2, Target::in_place);
    add("in_place", DType::i32, op, 2, Target::in_place);
    add("in_place", DType::f16, op, 2, Target::in_place);
  }
  for (const DType dtype : {DType::f32, DType::bf16, DType::i32}) {
    add("apart", dtype, Op::sum, 2, Target::apart);
    add("apart", dtype, Op::sum, 4, Target::apart);
    add("apart", dtype, Op::sum, 8, Target::apart);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  register_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
