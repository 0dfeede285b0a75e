#include "bench/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <utility>

#include "base/text.hpp"

namespace rondo::bench {

namespace {

Error refusal(std::string_view flag, std::string_view value, std::string_view allowed) {
  return Error(ErrorCode::invalid_argument,
               concat(flag, " ", value, ": expected ", allowed, "; see --help"));
}

std::optional<int> parse_int(std::string_view text, int min) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < min) return std::nullopt;
  return number;
}

// As nccl-tests calls them; it has no 16-bit integers.
constexpr std::array<std::string_view, dtype_count> nccl_names = {
    "int8",   "uint8", "int16",    "uint16", "int32",  "uint32", "int64",
    "uint64", "half",  "bfloat16", "float",  "double", "f8e4m3", "f8e5m2"};

std::optional<DType> parse_dtype_name(std::string_view text) {
  const auto found = std::find(nccl_names.begin(), nccl_names.end(), text);
  if (found == nccl_names.end()) return parse_dtype(text);
  return static_cast<DType>(found - nccl_names.begin());
}

template <class Enum, int count>
std::vector<Enum> all_of() {
  std::vector<Enum> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<Enum>(i));
  return values;
}

/// A flag takes one value, or none where none is allowed; `set` says whether it was accepted.
struct Flag {
  std::string_view letter;
  std::string_view word;
  std::string allowed;
  std::function<bool(Options&, std::string_view)> set;
};

template <class T>
bool assign(T& target, std::optional<T> value) {
  if (value) target = *value;
  return value.has_value();
}

auto whole_number(int Options::*member, int min) {
  return [=](Options& options, std::string_view text) {
    return assign(options.*member, parse_int(text, min));
  };
}

auto size(std::size_t Options::*member, std::size_t min) {
  return [=](Options& options, std::string_view text) {
    const auto bytes = parse_size(text);
    return bytes && *bytes >= min && assign(options.*member, bytes);
  };
}

auto word(std::string Options::*member) {
  return [=](Options& options, std::string_view text) {
    options.*member = text;
    return !text.empty();
  };
}

bool set_factor(Options& options, std::string_view text) {
  const auto factor = parse_int(text, 2);
  if (factor) options.step_factor = static_cast<std::size_t>(*factor);
  return factor.has_value();
}

bool set_iterations(Options& options, std::string_view text) {
  if (text == "auto") {
    options.iterations = 0;
    return true;
  }
  return assign(options.iterations, parse_int(text, 1));
}

bool set_check(Options& options, std::string_view text) {
  const auto number = parse_int(text, 0);
  if (!number || *number > 2) return false;
  options.check = static_cast<Check>(*number);
  return true;
}

bool set_dtype(Options& options, std::string_view text) {
  if (text == "all") {
    options.dtypes = all_of<DType, dtype_count>();
    return true;
  }
  const auto dtype = parse_dtype_name(text);
  if (dtype) options.dtypes = {*dtype};
  return dtype.has_value();
}

bool set_op(Options& options, std::string_view text) {
  if (text == "all") {
    options.ops = all_of<Op, op_count>();
    return true;
  }
  const auto op = parse_op(text);
  if (op) options.ops = {*op};
  return op.has_value();
}

bool set_root(Options& options, std::string_view text) {
  options.all_roots = text == "all";
  return options.all_roots || assign(options.root, parse_int(text, 0));
}

bool set_blocking(Options& options, std::string_view text) {
  options.blocking = text == "1";
  return text == "0" || text == "1";
}

bool set_local_register(Options& options, std::string_view text) {
  const auto number = parse_int(text, 0);
  if (!number || *number > 2) return false;
  options.reading = static_cast<InPlaceReading>(*number);
  return true;
}

bool set_graph(Options& options, std::string_view text) {
  options.graph = text == "1";
  return text == "0" || text == "1";
}

bool set_device(Options& options, std::string_view) {
  options.device = true;
  return true;
}

bool set_over(Options& options, std::string_view text) {
  const auto number = parse_int(text, 0);
  if (!number || *number > 3) return false;
  options.over = static_cast<Over>(*number);
  return true;
}

bool set_sides(Options& options, std::string_view text) {
  constexpr std::array<std::string_view, 3> names = {"both", "out", "in"};  // as Sides has them
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return false;
  options.sides = static_cast<Sides>(found - names.begin());
  return true;
}

// Flags that everybody types with nccl-tests, and that have one right value here.
bool set_one(Options&, std::string_view text) {
  return text == "1";
}

bool set_algorithm(Options& options, std::string_view text) {
  options.algorithm = parse_algorithm(text);
  return options.algorithm.has_value();
}

bool set_packets(Options& options, std::string_view text) {
  options.device_packets = parse_size(text);
  return options.device_packets.has_value();
}

bool set_tile(Options& options, std::string_view text) {
  options.tile_bytes = parse_size(text);
  return options.tile_bytes.value_or(0) > 0;
}

}  // namespace

std::string_view nccl_name(DType dtype) {
  return nccl_names[static_cast<std::size_t>(dtype)];
}

namespace {

const std::vector<Flag>& flags() {
  static const std::string bytes = "bytes such as 64, 4K, 16M or 1G";
  static const std::vector<Flag> all = {
      {"-b", "--minbytes", bytes, size(&Options::min_bytes, 0)},
      {"-e", "--maxbytes", bytes, size(&Options::max_bytes, 0)},
      {"-f", "--stepfactor", "a whole number from 2 on", set_factor},
      {"-i", "--stepbytes", bytes + ", more than 0", size(&Options::step_bytes, 1)},
      {"-n", "--iters", "a whole number from 1 on, or auto", set_iterations},
      {"-w", "--warmup_iters", "a whole number from 0 on", whole_number(&Options::warmup, 0)},
      {"-c", "--check", "0 (off), 1 (exact) or 2 (reference)", set_check},
      {"-d", "--datatype", "all, or one of " + all_names<DType>(dtype_count), set_dtype},
      {"-o", "--op", "all, or one of " + all_names<Op>(op_count), set_op},
      {"-r", "--root", "all, or a rank", set_root},
      {"-z", "--blocking", "0 or 1", set_blocking},
      {"-a", "--average", "0 (rank 0), 1 (average), 2 (minimum) or 3 (maximum)", set_over},
      {"", "--side", "both, out (of place) or in (place)", set_sides},
      {"-R", "--local_register", "0, 1 or 2", set_local_register},
      {"", "--device", "", set_device},
      {"-G", "--cudagraph", "0 or 1", set_graph},
      {"-g", "--ngpus", "1: a rank is one process here", set_one},
      {"-t", "--nthreads", "1: a rank is one process here", set_one},
      {"-J", "--json", "a file name", word(&Options::json_file)},
      {"", "--transport", "a name such as tcp or inproc", word(&Options::transport)},
      {"", "--device-order", "auto, streams or kernels", word(&Options::device_order)},
      {"", "--ranks", "a whole number from 1 on", whole_number(&Options::ranks, 1)},
      {"", "--algorithm", "one of " + all_names<Algorithm>(algorithm_count), set_algorithm},
      {"", "--device-packets", bytes, set_packets},
      {"", "--tile", bytes + ", more than 0", set_tile},
  };
  return all;
}

const Flag* find_flag(std::string_view argument) {
  for (const Flag& flag : flags()) {
    if (argument == flag.word || (!flag.letter.empty() && argument == flag.letter)) return &flag;
  }
  return nullptr;
}

// Where reductions are asked for that only integers have, whether there are any.
bool has_defined_reduction(const Options& options) {
  const Case c{.collective = options.collective};
  return !c.reduces() || std::any_of(options.ops.begin(), options.ops.end(), [&](Op op) {
    return std::any_of(options.dtypes.begin(), options.dtypes.end(),
                       [&](DType dtype) { return is_defined(op, dtype); });
  });
}

Result<void> check_together(const Options& options, bool factor_given) {
  if (options.max_bytes < options.min_bytes) {
    return Error(ErrorCode::invalid_argument,
                 concat("-e ", options.max_bytes, " is less than -b ", options.min_bytes));
  }
  if (options.step_bytes != 0 && factor_given) {
    return Error(ErrorCode::invalid_argument, "-f and -i exclude each other");
  }
  if (options.step_bytes == 0 && options.min_bytes == 0 && options.max_bytes != 0) {
    return Error(ErrorCode::invalid_argument,
                 "-b 0 cannot grow by a factor: give -i, or a larger -b");
  }
  if (options.warmup == 0 && options.iterations == 0) {
    return Error(ErrorCode::invalid_argument,
                 "-w 0 leaves nothing to choose the number of operations by: give -n");
  }
  const bool has_sides = options.collective && options.collective != Collective::barrier;
  if (!has_sides && options.sides == Sides::in_place) {
    return Error(ErrorCode::invalid_argument,
                 concat(name_of(options.collective), " is never in place: leave --side out"));
  }
  if (!has_defined_reduction(options)) {
    return Error(ErrorCode::invalid_argument,
                 concat("-o ", name(options.ops.front()),
                        " is defined for integers only: give a type with -d, as i32"));
  }
  if (!options.collective && (options.algorithm || options.tile_bytes)) {
    return Error(ErrorCode::invalid_argument,
                 "sendrecv has no schedule: leave --algorithm and --tile out");
  }
  if (options.device && (!options.collective || options.collective == Collective::barrier)) {
    return Error(ErrorCode::invalid_argument,
                 concat("--device: ", name_of(options.collective), " has no buffers in device ",
                        "memory here: leave --device out"));
  }
  if (!options.device_order.empty() && !options.device) {
    return Error(ErrorCode::invalid_argument,
                 concat("--device-order ", options.device_order, ": is for --device only"));
  }
  if (options.graph && !options.device) {
    return Error(ErrorCode::invalid_argument, "-G 1: graphs are for --device only");
  }
  if ((options.ranks != 0) != (options.transport == "inproc")) {
    return Error(ErrorCode::invalid_argument,
                 "--transport inproc and --ranks N belong together: N threads of one process; "
                 "for other transports the launcher says how many ranks there are");
  }
  return {};
}

}  // namespace

Result<Options> parse_options(std::span<const char* const> arguments) {
  Options options;
  bool collective_given = false;
  bool factor_given = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view argument = arguments[i];
    if (argument == "-h" || argument == "--help") {
      options.help = true;
      return options;
    }
    if (!argument.starts_with("-")) {
      const auto collective = parse_subject(argument);
      if (!collective || collective_given) {
        return refusal("collective", argument, "one of " + subject_names());
      }
      options.collective = *collective;
      collective_given = true;
      continue;
    }
    const std::size_t equals = argument.starts_with("--") ? argument.find('=') : argument.npos;
    const Flag* flag = find_flag(argument.substr(0, equals));
    if (flag == nullptr) {
      return Error(ErrorCode::invalid_argument, concat("unknown flag ", argument, "; see --help"));
    }
    const bool takes_value = !flag->allowed.empty();
    if (!takes_value && equals != argument.npos) {
      return refusal(argument.substr(0, equals), argument.substr(equals + 1), "no value");
    }
    if (takes_value && equals == argument.npos && ++i == arguments.size()) {
      return refusal(argument, "(nothing)", flag->allowed);
    }
    const std::string_view value = !takes_value              ? std::string_view()
                                   : equals == argument.npos ? arguments[i]
                                                             : argument.substr(equals + 1);
    if (!flag->set(options, value))
      return refusal(argument.substr(0, equals), value, flag->allowed);
    factor_given = factor_given || flag->letter == "-f";
  }
  if (!collective_given) {
    return Error(ErrorCode::invalid_argument, "which collective? One of " + subject_names());
  }
  if (auto valid = check_together(options, factor_given); !valid) return valid.error();
  return options;
}

std::string help_text(std::string_view program) {
  return concat("Usage: ", program, " COLLECTIVE [flags]\n", R"(
Measures one collective over a range of sizes, checks its results, and prints the table that users
know from nccl-tests. COLLECTIVE: )",
                subject_names(), R"(.
In sendrecv every rank sends to the next one and receives from the one before.

Sizes (bytes of the longer buffer; K, M and G are binary)
  -b, --minbytes SIZE      smallest size (4)
  -e, --maxbytes SIZE      largest size (64M)
  -f, --stepfactor N       factor between sizes (4)
  -i, --stepbytes SIZE     step between sizes, instead of -f

What is called
  -d, --datatype TYPE|all  )",
                all_names<DType>(dtype_count), R"( (f32),
                           or the names of nccl-tests: int8, half, float, bfloat16 …
  -o, --op OP|all          )",
                all_names<Op>(op_count), R"( (sum)
  -r, --root RANK|all      root of broadcast, reduce, gather and scatter (0)

How it is measured
  -n, --iters N|auto       operations timed together (auto: what fits in 0.1 s, 5 to 20000)
  -w, --warmup_iters N     operations before that (5)
  -z, --blocking 0|1       0: operations back to back, time = total / n
                           1: a barrier before each, time = mean of the single operations; p50
                              and p99 are then true latencies (0)
                           with --device, 0: from the first call to the end of the stream, / n, no
                              p50 and p99; 1: each call, and a wait for the stream
  -a, --average 0..3       over the ranks: 0 rank 0, 1 average, 2 minimum, 3 maximum (1)
  --side both|out|in       out of place, in place, or one after the other (both)
  -c, --check 0..2         0 off; 1 data whose result is known to the bit, whatever the order of
                           summation; 2 random data against a wider reference in units in the last
                           place, same bits on all ranks and in a second run (1)

Output
  -J, --json FILE          rank 0 writes configuration and results
  -h, --help               this text
  -g 1, -t 1               as nccl-tests has them; a rank is one process here

Which library path
  -R, --local_register 0..2 buffers that ranks of a host read in place: 1 those of
                           rondo::allocate(), 2 usual ones, registered (0)
  --device                 buffers in device memory, and calls in the order of a stream of each
                           rank's; the devices of a host are dealt out to its ranks in turns.
                           -R 1: from device to device; 2: and used in place
  --device-order NAME      how steps of ranks wait for each other then: auto, streams, kernels
  --device-packets SIZE    what goes in packets where kernels wait, from a rank to another one
  -G, --cudagraph 0|1      1: what is timed are launches of graphs that have one call each, and were
                           captured before; with --device (0)
  --transport NAME         auto, shm, tcp, mpi; inproc runs --ranks N threads in this process
  --ranks N                number of threads for inproc
  --algorithm NAME         )",
                all_names<Algorithm>(algorithm_count), R"(
  --tile SIZE              bytes of a segment that are on their way at once

Ranks come from the launcher: rondo run -n 4 -- )",
                program, " allreduce, mpirun -np 4 ", program, R"( allreduce.
Without one the world has one rank. GB are 10^9 bytes. Exit code: 0 all results right, 1 a wrong
result or an error, 2 wrong flags.
)");
}

}  // namespace rondo::bench
