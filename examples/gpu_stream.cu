// A collective in the order of a CUDA stream: a kernel, the sum over all ranks behind it, and a
// kernel that uses the sum. The host gives all three to the stream, and goes on meanwhile.
//
//   rondo run -n 2 gpu_stream

#include <rondo/cuda.hpp>
#include <rondo/rondo.hpp>

#include <iostream>
#include <span>
#include <vector>

#include "gpu.cuh"

__global__ void fill(float* numbers, int count, float value) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) numbers[i] = value + i % 4;
}

__global__ void divide(float* numbers, int count, float divisor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) numbers[i] /= divisor;
}

int main() try {
  if (gpu::is_missing("gpu_stream")) return gpu::cannot_run;
  rondo::Communicator comm = rondo::Communicator::from_env();
  gpu::choose_device(comm.rank());

  constexpr int count = 1 << 20;
  constexpr int threads = 256;
  constexpr int blocks = count / threads;
  gpu::Buffer<float> numbers(count);
  gpu::Stream stream;

  fill<<<blocks, threads, 0, stream>>>(numbers.data(), count, static_cast<float>(comm.rank()));
  gpu::check("fill", cudaGetLastError());
  rondo::Work work =
      comm.allreduce(rondo::DeviceSpan<float>(numbers.data(), count), rondo::Op::sum, stream);
  divide<<<blocks, threads, 0, stream>>>(numbers.data(), count, static_cast<float>(comm.size()));
  gpu::check("divide", cudaGetLastError());

  // The host is free until it wants to see the result.
  work.wait();  // throws the collective's error, if there was one
  std::vector<float> result(count);
  numbers.get(result, stream);

  const float average = static_cast<float>(comm.size() - 1) / 2;
  for (int i = 0; i < count; ++i) {
    if (result[i] != average + i % 4) {
      std::cerr << "gpu_stream: element " << i << " is " << result[i] << "\n";
      return 1;
    }
  }
  if (comm.rank() == 0) std::cout << "the average over the ranks is right: " << result[0] << " …\n";
} catch (const std::exception& error) {  // a rondo::Error, too
  std::cerr << "gpu_stream: " << error.what() << "\n";
  return 1;
}
