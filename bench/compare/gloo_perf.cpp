// gloo-perf: gloo measured as rondo-perf measures rondo. Ranks meet in a directory that all see.

#include <gloo/allgather.h>
#include <gloo/allreduce.h>
#include <gloo/barrier.h>
#include <gloo/broadcast.h>
#include <gloo/math.h>
#include <gloo/reduce.h>
#include <gloo/rendezvous/context.h>
#include <gloo/rendezvous/file_store.h>
#include <gloo/transport/tcp/device.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <span>
#include <string>

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

using Reduction = void (*)(void*, const void*, const void*, std::size_t);

template <class T>
Reduction reduction(Op op) {
  switch (op) {
    case Op::sum:
      return &gloo::sum<T>;
    case Op::prod:
      return &gloo::product<T>;
    case Op::min:
      return &gloo::min<T>;
    case Op::max:
      return &gloo::max<T>;
    default:
      throw Error(ErrorCode::unsupported, rondo::concat("gloo has no ", rondo::name(op)));
  }
}

class Gloo final : public bench::Library {
 public:
  Gloo(int rank, int size, const std::string& directory)
      : context_(std::make_shared<gloo::rendezvous::Context>(rank, size)) {
    gloo::rendezvous::FileStore store(directory);
    gloo::transport::tcp::attr address("127.0.0.1");
    auto device = gloo::transport::tcp::CreateDevice(address);
    context_->connectFullMesh(store, device);
  }

  int rank() const override { return context_->rank; }
  int size() const override { return context_->size; }
  std::string name() const override { return "gloo over tcp, loopback"; }

  void run(const ErasedCall& call) override {
    // gloo's allgather divides by the size.
    if (call.count == 0 && call.collective != Collective::barrier) return;
    switch (call.dtype) {
      case DType::i8:
        return run_as<std::int8_t>(call);
      case DType::u8:
        return run_as<std::uint8_t>(call);
      case DType::i32:
        return run_as<std::int32_t>(call);
      case DType::u32:
        return run_as<std::uint32_t>(call);
      case DType::i64:
        return run_as<std::int64_t>(call);
      case DType::u64:
        return run_as<std::uint64_t>(call);
      case DType::f16:
        return run_as<gloo::float16>(call);
      case DType::f32:
        return run_as<float>(call);
      case DType::f64:
        return run_as<double>(call);
      default:
        throw Error(ErrorCode::unsupported,
                    rondo::concat("gloo has no type ", rondo::name(call.dtype)));
    }
  }

 private:
  template <class T>
  void run_as(const ErasedCall& call) {
    // gloo takes inputs as non-const pointers, and only reads them.
    T* const send = static_cast<T*>(const_cast<void*>(call.send));
    T* const receive = static_cast<T*>(call.receive);
    switch (call.collective) {
      case Collective::allreduce:
        return allreduce<T>(call, send, receive);
      case Collective::reduce:
        return reduce<T>(call, send, receive);
      case Collective::broadcast: {
        gloo::BroadcastOptions options(context_);
        if (call.root == rank() && send != receive) options.setInput(send, call.count);
        options.setOutput(receive, call.count);
        options.setRoot(call.root);
        return gloo::broadcast(options);
      }
      case Collective::allgather: {
        gloo::AllgatherOptions options(context_);
        const auto ranks = static_cast<std::size_t>(size());
        const bool in_place = send == receive + static_cast<std::size_t>(rank()) * call.count;
        if (!in_place) options.setInput(send, call.count);
        options.setOutput(receive, call.count * ranks);
        return gloo::allgather(options);
      }
      case Collective::barrier: {
        gloo::BarrierOptions options(context_);
        return gloo::barrier(options);
      }
      default:
        throw Error(
            ErrorCode::unsupported,
            rondo::concat("this gloo has no ", rondo::name(call.collective), " of this kind"));
    }
  }

  template <class T>
  void allreduce(const ErasedCall& call, T* send, T* receive) {
    gloo::AllreduceOptions options(context_);
    options.setAlgorithm(gloo::AllreduceOptions::Algorithm::RING);
    options.setReduceFunction(reduction<T>(call.op));
    if (send != receive) options.setInput(send, call.count);
    options.setOutput(receive, call.count);
    gloo::allreduce(options);
  }

  template <class T>
  void reduce(const ErasedCall& call, T* send, T* receive) {
    gloo::ReduceOptions options(context_);
    options.setReduceFunction(reduction<T>(call.op));
    options.setInput(send, call.count);
    options.setOutput(receive, call.count);
    options.setRoot(call.root);
    gloo::reduce(options);
  }

  std::shared_ptr<gloo::rendezvous::Context> context_;
};

constexpr const char* usage =
    "Usage: gloo-perf RANK SIZE DIRECTORY COLLECTIVE [flags of rondo-perf]\n"
    "DIRECTORY is empty at the start, and where the ranks find each other.\n";

}  // namespace

int main(int count, char** values) {
  if (count < 5) {
    std::cerr << usage;
    return bench::exit_usage;
  }
  const std::span<const char* const> arguments(values + 4, static_cast<std::size_t>(count - 4));
  const rondo::Result<bench::Options> options = bench::parse_options(arguments);
  if (!options || options.value().help) {
    std::cerr << usage << (options ? bench::help_text("gloo-perf …") : options.error().text())
              << "\n";
    return options ? 0 : bench::exit_usage;
  }
  try {
    Gloo library(std::atoi(values[1]), std::atoi(values[2]), values[3]);
    return bench::run_suite(library, options.value(), std::cout);
  } catch (const std::exception& error) {
    std::cerr << "gloo-perf: rank " << values[1] << ": " << error.what() << "\n";
    return bench::exit_wrong;
  }
}
