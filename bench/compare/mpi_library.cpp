#include "bench/compare/mpi_library.hpp"

#include <cstring>
#include <exception>
#include <iostream>
#include <limits>
#include <span>
#include <sstream>
#include <string_view>

#include "base/text.hpp"
#include "bench/suite.hpp"

namespace rondo::bench {

namespace {

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
      throw Error(ErrorCode::unsupported, concat("MPI has no type ", name(dtype)));
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
    case Op::band:
      return MPI_BAND;
    case Op::bor:
      return MPI_BOR;
    case Op::bxor:
      return MPI_BXOR;
    case Op::land:
      return MPI_LAND;
    case Op::lor:
      return MPI_LOR;
    case Op::lxor:
      return MPI_LXOR;
    case Op::avg:
      break;
  }
  throw Error(ErrorCode::unsupported, "MPI has no average");
}

/// What MPI wants to be told for data that lie `offset` bytes into the receive buffer already.
const void* source(const ErasedCall& call, std::size_t offset) {
  const bool in_place = call.send == static_cast<std::byte*>(call.receive) + offset;
  return in_place ? MPI_IN_PLACE : call.send;
}

}  // namespace

std::string Mpi::name() const {
  std::string text(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  std::istringstream words(text.substr(0, text.find_first_of(std::string_view(",\n\0", 3))));
  std::string name;
  for (std::string word; words >> word;) name += (name.empty() ? "" : " ") + word;
  return name;
}

void Mpi::run(const ErasedCall& call) {
  if (call.collective == Collective::barrier) {
    MPI_Barrier(MPI_COMM_WORLD);
    return;
  }
  if (call.count > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw Error(ErrorCode::unsupported,
                concat("MPI counts in ints, and has no ", call.count, " elements"));
  }
  const int count = static_cast<int>(call.count);
  const MPI_Datatype type = datatype_of(call.dtype);
  if (reduces_all(call.collective) || reduces_prefix(call.collective)) {
    run_reduction(call, count, type);
  } else {
    run_movement(call, count, type);
  }
}

void Mpi::run_reduction(const ErasedCall& call, int count, MPI_Datatype type) const {
  const MPI_Op op = operation_of(call.op);
  const bool at_root = rank_ == call.root;
  switch (call.collective) {
    case Collective::allreduce:
      MPI_Allreduce(source(call, 0), call.receive, count, type, op, MPI_COMM_WORLD);
      return;
    case Collective::reduce:
      MPI_Reduce(at_root ? source(call, 0) : call.send, call.receive, count, type, op, call.root,
                 MPI_COMM_WORLD);
      return;
    case Collective::scan:
      MPI_Scan(source(call, 0), call.receive, count, type, op, MPI_COMM_WORLD);
      return;
    case Collective::exscan:
      MPI_Exscan(source(call, 0), call.receive, count, type, op, MPI_COMM_WORLD);
      return;
    default:
      // In place MPI puts every rank's result at the beginning of its buffer.
      if (call.send == static_cast<std::byte*>(call.receive) - own_block(call)) {
        throw Error(ErrorCode::unsupported, "MPI has no such reduce_scatter in place");
      }
      MPI_Reduce_scatter_block(call.send, call.receive, count, type, op, MPI_COMM_WORLD);
      return;
  }
}

void Mpi::run_movement(const ErasedCall& call, int count, MPI_Datatype type) const {
  const bool at_root = rank_ == call.root;
  switch (call.collective) {
    case Collective::broadcast:
      // MPI's is always in place.
      if (at_root && call.send != call.receive) {
        std::memcpy(call.receive, call.send, call.count * size_of(call.dtype));
      }
      MPI_Bcast(call.receive, count, type, call.root, MPI_COMM_WORLD);
      return;
    case Collective::allgather:
      MPI_Allgather(source(call, own_block(call)), count, type, call.receive, count, type,
                    MPI_COMM_WORLD);
      return;
    case Collective::gather:
      MPI_Gather(at_root ? source(call, own_block(call)) : call.send, count, type, call.receive,
                 count, type, call.root, MPI_COMM_WORLD);
      return;
    case Collective::scatter: {
      const bool in_place =
          at_root && call.receive == static_cast<const std::byte*>(call.send) + own_block(call);
      MPI_Scatter(call.send, count, type, in_place ? MPI_IN_PLACE : call.receive, count, type,
                  call.root, MPI_COMM_WORLD);
      return;
    }
    case Collective::alltoall:
      MPI_Alltoall(source(call, 0), count, type, call.receive, count, type, MPI_COMM_WORLD);
      return;
    default:
      throw Error(ErrorCode::unsupported,
                  concat(rondo::name(call.collective), " is not measured with MPI"));
  }
}

std::size_t Mpi::own_block(const ErasedCall& call) const {
  return static_cast<std::size_t>(rank_) * call.count * size_of(call.dtype);
}

namespace {

int run(const char* program, const Options& options,
        const std::function<int(Mpi& mpi, const Options& options)>& measure) {
  Mpi mpi;
  try {
    return measure(mpi, options);
  } catch (const std::exception& error) {
    std::cerr << concat(program, ": rank ", mpi.rank(), ": ", error.what(), "\n");
    MPI_Abort(MPI_COMM_WORLD, exit_wrong);
    return exit_wrong;
  }
}

}  // namespace

int run_mpi_program(const char* program, int count, char** values,
                    const std::function<int(Mpi& mpi, const Options& options)>& measure) {
  const std::span<const char* const> arguments(values + 1, static_cast<std::size_t>(count - 1));
  const Result<Options> options = parse_options(arguments);
  if (!options) {
    std::cerr << program << ": " << options.error().text() << "\n";
    return exit_usage;
  }
  if (options.value().help) {
    std::cout << help_text(program);
    return 0;
  }
  MPI_Init(nullptr, nullptr);
  const int code = run(program, options.value(), measure);
  MPI_Finalize();
  return code;
}

}  // namespace rondo::bench
