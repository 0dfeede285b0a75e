// usage: measure_device [emulated|cuda] [LOG2]
//
// What the work costs that collectives on devices are made of, as a table; on up to 2^LOG2 bytes,
// 2^28 without it. A time is the median of several runs; a run is many operations in one stream.

#include <algorithm>
#include <chrono>
#include <functional>
#include <iomanip>
#include <iostream>

#include "harness.hpp"

namespace rondo::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t most_ranks = 8;
int most_repetitions = 200;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Of one of `repetitions` calls of `work`, which leaves what it does to the stream.
double seconds_of(DeviceStream stream, int wished, const std::function<void()>& work) {
  const int repetitions = std::min(wished, most_repetitions);
  work();  // once, to have everything where it belongs
  must(runtime().synchronize(stream));
  std::vector<double> runs;
  for (int run = 0; run < 9; ++run) {
    const Clock::time_point begin = Clock::now();
    for (int i = 0; i < repetitions; ++i) work();
    must(runtime().synchronize(stream));
    runs.push_back(seconds_since(begin) / repetitions);
  }
  std::nth_element(runs.begin(), runs.begin() + runs.size() / 2, runs.end());
  return runs[runs.size() / 2];
}

void print(const std::string& what, std::size_t bytes, double seconds, double moved) {
  std::cout << std::left << std::setw(44) << what << std::right << std::setw(12) << bytes
            << std::fixed << std::setprecision(2) << std::setw(12) << seconds * 1e6;
  if (moved > 0) std::cout << std::setprecision(1) << std::setw(12) << moved / seconds * 1e-9;
  std::cout << std::endl;
}

int repetitions_of(std::size_t bytes) {
  return static_cast<int>(std::clamp<std::size_t>((std::size_t{1} << 28) / bytes, 4, 1000));
}

// Bytes that are read and written count as moved.
void measure_memory(std::size_t bytes) {
  const Stream stream(runtime());
  const Memory memory(runtime(), Allocation::device, 2 * bytes);
  const Memory pinned(runtime(), Allocation::pinned, bytes);
  std::byte* const other = memory.bytes() + bytes;
  const double size = static_cast<double>(bytes);
  const int times = repetitions_of(bytes);
  const auto copy = [&](void* to, const void* from) {
    return seconds_of(stream, times, [&] { must(runtime().copy(stream, to, from, bytes)); });
  };
  print("copy, device to device", bytes, copy(other, memory.bytes()), 2 * size);
  print("copy, device to pinned", bytes, copy(pinned.bytes(), memory.bytes()), size);
  print("copy, pinned to device", bytes, copy(memory.bytes(), pinned.bytes()), size);
  const DeviceCopy one = {other, memory.bytes(), bytes};
  print("copy by a kernel", bytes,
        seconds_of(stream, times,
                   [&] { must(runtime().copy_all(stream, std::span(&one, 1), nullptr)); }),
        2 * size);
}

// One rank's part of an allreduce in one step: its slice from all to all.
void measure_reduction(DType dtype, std::size_t ranks, std::size_t bytes) {
  const Stream stream(runtime());
  const Memory memory(runtime(), Allocation::device, ranks * bytes);
  std::vector<const void*> sources;
  std::vector<void*> destinations;
  for (std::size_t r = 0; r < ranks; ++r) {
    sources.push_back(memory.bytes() + r * bytes);
    destinations.push_back(memory.bytes() + r * bytes);
  }
  const double seconds = seconds_of(stream, repetitions_of(ranks * bytes), [&] {
    must(runtime().reduce(stream, {.dtype = dtype,
                                   .op = Op::max,  // which does not grow
                                   .sources = sources,
                                   .destinations = destinations,
                                   .count = bytes / size_of(dtype)}));
  });
  const std::string what = std::string("reduce ") + std::string(name(dtype)) + ", " +
                           std::to_string(ranks) + " sources to as many places";
  print(what, bytes, seconds, 2.0 * static_cast<double>(ranks * bytes));
}

// What it takes to order things. Streams that hand over to each other do so there and back.
void measure_order() {
  constexpr int times = 100;
  const Stream stream(runtime());
  const Stream other(runtime());
  const Memory words(runtime(), Allocation::device, 256);
  auto* const word = words.as<std::uint32_t>();
  must(runtime().write_value(stream, word, 0));
  must(runtime().write_value(stream, word + 1, 0));
  print("synchronize an idle stream", 0,
        seconds_of(stream, times, [&] { must(runtime().synchronize(stream)); }), 0);
  const DeviceEvent there = must(runtime().create_event(0, false));
  const DeviceEvent back = must(runtime().create_event(0, false));
  print("two streams, there and back by events", 0,
        seconds_of(stream, times,
                   [&] {
                     must(runtime().record(stream, there));
                     must(runtime().wait(other, there));
                     must(runtime().record(other, back));
                     must(runtime().wait(stream, back));
                   }),
        0);
  std::uint32_t turn = 0;
  print("two streams, there and back by values", 0,
        seconds_of(stream, times,
                   [&] {
                     ++turn;
                     must(runtime().write_value(stream, word, turn));
                     must(runtime().wait_value(other, word, turn));
                     must(runtime().write_value(other, word + 1, turn));
                     must(runtime().wait_value(stream, word + 1, turn));
                   }),
        0);
  print("a host function", 0,
        seconds_of(stream, times,
                   [&] {
                     must(runtime().call_host(
                         stream, [](void*) {}, nullptr));
                   }),
        0);
  must(runtime().destroy_event(there));
  must(runtime().destroy_event(back));
}

// Another process writes what this one waits for, and the other way round.
struct Words {
  MemoryHandle memory;
  std::uint32_t times;
};

void answer(DeviceRuntime& here, Channel& channel) {
  const auto words = channel.receive<Words>();
  const Clock::time_point begin = Clock::now();
  auto* const word = static_cast<std::uint32_t*>(must(here.open_memory(0, words.memory)));
  channel.send(seconds_since(begin));
  {
    const Stream stream(here);
    for (std::uint32_t turn = 1; turn <= words.times; ++turn) {
      must(here.wait_value(stream, word, turn));
      must(here.write_value(stream, word + 1, turn));
    }
    must(here.synchronize(stream));
  }
  must(here.close_memory(word));
  channel.send(0);
}

void measure_processes() {
  constexpr std::uint32_t times = 100;
  const Stream stream(runtime());
  const Memory words(runtime(), Allocation::device, 256);
  auto* const word = words.as<std::uint32_t>();
  must(runtime().write_value(stream, word, 0));
  must(runtime().write_value(stream, word + 1, 0));
  must(runtime().synchronize(stream));
  Peer peer(answer);
  peer.channel().send(Words{must(runtime().export_memory(word)), times});
  print("open memory of another process", 256, peer.channel().receive<double>(), 0);
  const Clock::time_point begin = Clock::now();
  for (std::uint32_t turn = 1; turn <= times; ++turn) {
    must(runtime().write_value(stream, word, turn));
    must(runtime().wait_value(stream, word + 1, turn));
  }
  must(runtime().synchronize(stream));
  print("two processes, there and back by values", 0, seconds_since(begin) / times, 0);
  peer.channel().receive<int>();
}

void measure(int log2) {
  std::cout << std::left << std::setw(44) << "what" << std::right << std::setw(12) << "bytes"
            << std::setw(12) << "us" << std::setw(12) << "GB/s" << std::endl;
  measure_order();
  measure_processes();
  for (int size = 12; size <= log2; size += 4) measure_memory(std::size_t{1} << size);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (std::size_t ranks = 2; ranks <= most_ranks; ranks *= 2) {
      for (int size = 12; size <= log2 - 4; size += 6) {
        measure_reduction(dtype, ranks, std::size_t{1} << size);
      }
      measure_reduction(dtype, ranks, std::size_t{1} << (log2 - 3));
    }
  }
}

int main(int argc, char** argv) {
  const std::string missing = choose_devices(argc > 1 ? argv[1] : "cuda");
  if (!missing.empty()) {
    std::cerr << "There is nothing to measure: " << missing << std::endl;
    return 77;
  }
  if (was_peer(argc, argv)) return 0;
  if (argc > 1 && std::string_view(argv[1]) == "emulated") most_repetitions = 1;
  try {
    measure(argc > 2 ? std::stoi(argv[2]) : 28);
  } catch (const std::exception& error) {
    std::cerr << "measure_device: " << error.what() << std::endl;
    return 1;
  }
  leave_devices();
  return 0;
}

}  // namespace

std::vector<Role*> roles() {
  return {answer};
}

}  // namespace rondo::test

int main(int argc, char** argv) {
  return rondo::test::main(argc, argv);
}
