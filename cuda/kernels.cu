#include <algorithm>

#include "cuda/kernels.hpp"
#include "device/kernels/table.hpp"

namespace rondo {

namespace {

// One thread looks for all of its block: the word is far away.
__device__ bool is_block_stopped(const std::uint32_t* stop) {
  if (stop == nullptr) return false;
  __shared__ bool is_stopped_for_all;
  if (threadIdx.x == 0) is_stopped_for_all = is_stopped(stop);
  __syncthreads();
  return is_stopped_for_all;
}

template <class T, Op op>
__global__ void __launch_bounds__(threads_of_a_block)
    reduce_kernel(const __grid_constant__ ReduceArguments arguments) {
  if (is_block_stopped(arguments.stop)) return;
  const std::size_t threads = std::size_t{gridDim.x} * blockDim.x;
  reduce_share<T, op>(arguments, std::size_t{blockIdx.x} * blockDim.x + threadIdx.x, threads);
}

__global__ void __launch_bounds__(threads_of_a_block)
    copy_kernel(const __grid_constant__ CopyArguments arguments) {
  if (is_block_stopped(arguments.stop)) return;
  const std::size_t threads = std::size_t{gridDim.x} * blockDim.x;
  copy_share(arguments.copies[blockIdx.y], std::size_t{blockIdx.x} * blockDim.x + threadIdx.x,
             threads);
}

template <class T, Op op>
struct Launch {
  static cudaError_t function(const ReduceArguments& arguments, unsigned blocks,
                              cudaStream_t stream) {
    reduce_kernel<T, op><<<blocks, threads_of_a_block, 0, stream>>>(arguments);
    return cudaPeekAtLastError();
  }
};

using Function = cudaError_t (*)(const ReduceArguments&, unsigned, cudaStream_t);
constexpr element::Table<Function> launches = element::make_table<Function, Launch>();

// The threads of this block, for advance().
struct ThisBlock {
  template <class Condition>
  __device__ bool all(std::size_t count, const Condition& condition) const {
    bool holds = true;
    for (std::size_t i = threadIdx.x; i < count; i += blockDim.x) holds = holds && condition(i);
    return __syncthreads_and(holds);
  }
  template <class Work>
  __device__ void each(const Work& work) const {
    work(threadIdx.x, blockDim.x);
    __syncthreads();
  }
};

template <class T, Op op>
__global__ void __launch_bounds__(threads_of_a_block)
    program_kernel(const __grid_constant__ ProgramArguments arguments) {
  BlockState state;
  while (advance<T, op>(arguments, blockIdx.x, state, ThisBlock()) != Progress::over) {
  }
}

template <class T, Op op>
__global__ void __launch_bounds__(threads_of_a_block)
    packet_kernel(const __grid_constant__ PacketArguments arguments) {
  const std::size_t thread = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::size_t threads = std::size_t{gridDim.x} * blockDim.x;
  PacketState state;
  while (advance<T, op>(arguments, state, thread, threads) != Progress::over) {
  }
}

template <class T, Op op>
struct Program {
  static const void* function() { return reinterpret_cast<const void*>(&program_kernel<T, op>); }
};
template <class T, Op op>
struct Packets {
  static const void* function() { return reinterpret_cast<const void*>(&packet_kernel<T, op>); }
};

using Kernel = const void* (*)();
constexpr element::Table<Kernel> programs = element::make_table<Kernel, Program>();
constexpr element::Table<Kernel> packets = element::make_table<Kernel, Packets>();

cudaError_t launch(Kernel kernel, const void* arguments, unsigned blocks, cudaStream_t stream) {
  void* values[] = {const_cast<void*>(arguments)};
  return cudaLaunchKernel(kernel(), dim3(blocks), dim3(threads_of_a_block), values, 0, stream);
}

}  // namespace

cudaError_t launch_reduce(DType dtype, Op op, const ReduceArguments& arguments, unsigned blocks,
                          cudaStream_t stream) {
  return element::find(launches, dtype, op)(arguments, blocks, stream);
}

cudaError_t launch_copies(const CopyArguments& arguments, unsigned count, unsigned blocks,
                          cudaStream_t stream) {
  copy_kernel<<<dim3(blocks, count), threads_of_a_block, 0, stream>>>(arguments);
  return cudaPeekAtLastError();
}

cudaError_t launch_program(DType dtype, Op op, const ProgramArguments& arguments,
                           cudaStream_t stream) {
  return launch(element::find(programs, dtype, op), &arguments, arguments.slices, stream);
}

cudaError_t launch_packets(DType dtype, Op op, const PacketArguments& arguments, unsigned blocks,
                           cudaStream_t stream) {
  return launch(element::find(packets, dtype, op), &arguments, blocks, stream);
}

cudaError_t find_resident_blocks(int* blocks) {
  *blocks = 0;
  for (const element::Table<Kernel>* const table : {&programs, &packets}) {
    for (const auto& of_type : *table) {
      for (const Kernel kernel : of_type) {
        if (kernel == nullptr) continue;
        int found = 0;
        const cudaError_t error =
            cudaOccupancyMaxActiveBlocksPerMultiprocessor(&found, kernel(), threads_of_a_block, 0);
        if (error != cudaSuccess) return error;
        *blocks = *blocks == 0 ? found : std::min(*blocks, found);
      }
    }
  }
  return cudaSuccess;
}

}  // namespace rondo
