#pragma once

// The command line of rondo-perf: the flags that users know from nccl-tests, and a few for CPUs.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/sizes.hpp"
#include "rondo/error.hpp"
#include "rondo/schedule.hpp"
#include "rondo/types.hpp"

namespace rondo::bench {

enum class Check {
  off,
  exact,      ///< data for which every order of summation gives the same known bits
  reference,  ///< random data against a wider reference, in units in the last place
};

/// What one line shows of the times that the ranks measured.
enum class Over { rank0, average, minimum, maximum };

/// Where the result of a call goes.
enum class Sides { both, out_of_place, in_place };

/// Which buffers other ranks of the host read in place: those of rondo::allocate(), or others.
enum class InPlaceReading : std::uint8_t { none, allocated, registered };

struct Options {
  Subject collective = Collective::allreduce;
  std::size_t min_bytes = 4;
  std::size_t max_bytes = std::size_t{64} << 20;
  std::size_t step_factor = 4;
  std::size_t step_bytes = 0;  ///< when set, sizes grow by addition
  int iterations = 0;          ///< 0: as many as fit in about 0.1 s
  int warmup = 5;
  Check check = Check::exact;
  std::vector<DType> dtypes = {DType::f32};
  std::vector<Op> ops = {Op::sum};
  int root = 0;
  bool all_roots = false;
  bool blocking = false;  ///< a barrier before each operation, each timed alone
  Over over = Over::average;
  Sides sides = Sides::both;
  std::string json_file;
  InPlaceReading reading = InPlaceReading::none;
  bool graph = false;        ///< calls are captured before, and launched
  bool device = false;       ///< buffers in device memory, and calls in the order of a stream
  std::string transport;     ///< empty: the library's choice
  std::string device_order;  ///< empty: as suits the ranks
  std::optional<std::size_t> device_packets;
  int ranks = 0;  ///< threads of one process, with the transport "inproc"
  std::optional<Algorithm> algorithm;
  std::optional<std::size_t> tile_bytes;
  bool help = false;

  friend bool operator==(const Options&, const Options&) = default;
};

/// Arguments without the program's name. An Error names the flag, the value and what is allowed.
Result<Options> parse_options(std::span<const char* const> arguments);

std::string help_text(std::string_view program);

/// "float" for f32: the name in the tables of nccl-tests.
std::string_view nccl_name(DType dtype);

}  // namespace rondo::bench
