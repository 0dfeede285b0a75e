// mpi-perf: an MPI library measured as rondo-perf measures rondo. Built once with each library that
// was found; the ranks come from that library's mpirun or mpiexec.

#include <mpi.h>

#include <cstring>
#include <exception>
#include <iostream>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "bench/library.hpp"
#include "bench/options.hpp"
#include "bench/suite.hpp"

namespace {

namespace bench = rondo::bench;
using rondo::Collective;
using rondo::DType;
using rondo::ErasedCall;
using rondo::Error;
using rondo::ErrorCode;
using rondo::Op;

MPI_Datatype datatype_of(DType dtype) {
  switch (dtype) {
    case DType::i8:
      return MPI_INT8_T;
    case DType::u8:
      return MPI_UINT8_T;
    case DType::i16:
      return MPI_INT16_T;
    case DType::u16:
      return MPI_UINT16_T;
    case DType::i32:
      return MPI_INT32_T;
    case DType::u32:
      return MPI_UINT32_T;
    case DType::i64:
      return MPI_INT64_T;
    case DType::u64:
      return MPI_UINT64_T;
    case DType::f32:
      return MPI_FLOAT;
    case DType::f64:
      return MPI_DOUBLE;
    default:
      throw Error(ErrorCode::unsupported, rondo::concat("MPI has no type ", rondo::name(dtype)));
  }
}

MPI_Op operation_of(Op op) {
  switch (op) {
    case Op::sum:
      return MPI_SUM;
    case Op::prod:
      return MPI_PROD;
    case Op::min:
      return MPI_MIN;
    case Op::max:
      return MPI_MAX;
    default:
      throw Error(ErrorCode::unsupported, "MPI has no average");
  }
}

// Errors of the library end the job, as MPI does unless told otherwise.
class Mpi final : public bench::Library {
 public:
  Mpi() {
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  /// "Open MPI v4.1.4", "MPICH Version: 4.0.2": the words of the first line of what the library
  /// says of itself, up to the first comma.
  std::string name() const override {
    std::string text(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
    int length = 0;
    MPI_Get_library_version(text.data(), &length);
    std::istringstream words(text.substr(0, text.find_first_of(std::string_view(",\n\0", 3))));
    std::string name;
    for (std::string word; words >> word;) name += (name.empty() ? "" : " ") + word;
    return name;
  }

  void run(const ErasedCall& call) override {
    if (call.collective == Collective::barrier) {
      MPI_Barrier(MPI_COMM_WORLD);
      return;
    }
    if (call.count > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
      throw Error(ErrorCode::unsupported,
                  rondo::concat("MPI counts in ints, and has no ", call.count, " elements"));
    }
    run_as(call, static_cast<int>(call.count), datatype_of(call.dtype));
  }

 private:
  void run_as(const ErasedCall& call, int count, MPI_Datatype type) const {
    const std::size_t bytes = call.count * size_of(call.dtype);
    const std::size_t own_block = static_cast<std::size_t>(rank_) * bytes;
    const bool at_root = rank_ == call.root;
    switch (call.collective) {
      case Collective::allreduce:
        MPI_Allreduce(source(call, 0), call.receive, count, type, operation_of(call.op),
                      MPI_COMM_WORLD);
        return;
      case Collective::reduce:
        MPI_Reduce(at_root ? source(call, 0) : call.send, call.receive, count, type,
                   operation_of(call.op), call.root, MPI_COMM_WORLD);
        return;
      case Collective::broadcast:
        // MPI's is always in place.
        if (at_root && call.send != call.receive) std::memcpy(call.receive, call.send, bytes);
        MPI_Bcast(call.receive, count, type, call.root, MPI_COMM_WORLD);
        return;
      case Collective::allgather:
        MPI_Allgather(source(call, own_block), count, type, call.receive, count, type,
                      MPI_COMM_WORLD);
        return;
      case Collective::reduce_scatter:
        // In place MPI puts every rank's result at the beginning of its buffer.
        if (call.send == static_cast<std::byte*>(call.receive) - own_block) {
          throw Error(ErrorCode::unsupported, "MPI has no such reduce_scatter in place");
        }
        MPI_Reduce_scatter_block(call.send, call.receive, count, type, operation_of(call.op),
                                 MPI_COMM_WORLD);
        return;
      default:
        throw Error(ErrorCode::unsupported,
                    rondo::concat(rondo::name(call.collective), " is not measured with MPI"));
    }
  }

  /// What MPI wants to be told for data that lie `offset` bytes into the receive buffer already.
  static const void* source(const ErasedCall& call, std::size_t offset) {
    const bool in_place = call.send == static_cast<std::byte*>(call.receive) + offset;
    return in_place ? MPI_IN_PLACE : call.send;
  }

  int rank_ = 0;
  int size_ = 1;
};

constexpr const char* program = "mpi-perf";

/// A rank that cannot go on ends the job: the others would wait for it.
int run(const bench::Options& options) {
  Mpi library;
  try {
    return bench::run_suite(library, options, std::cout);
  } catch (const std::exception& error) {
    std::cerr << program << ": rank " << library.rank() << ": " << error.what() << "\n";
    MPI_Abort(MPI_COMM_WORLD, bench::exit_wrong);
    return bench::exit_wrong;
  }
}

}  // namespace

int main(int count, char** values) {
  const std::span<const char* const> arguments(values + 1, static_cast<std::size_t>(count - 1));
  const rondo::Result<bench::Options> options = bench::parse_options(arguments);
  if (!options) {
    std::cerr << program << ": " << options.error().text() << "\n";
    return bench::exit_usage;
  }
  if (options.value().help) {
    std::cout << bench::help_text(program);
    return 0;
  }
  MPI_Init(nullptr, nullptr);
  const int code = run(options.value());
  MPI_Finalize();
  return code;
}
