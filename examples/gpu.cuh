#pragma once

// What the examples for GPUs need of CUDA: memory, streams and events that end with their scope.

#include <cuda_runtime.h>

#include <cstdio>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace gpu {

inline void check(const char* call, cudaError_t error) {
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(error));
  }
}

/// What programs exit with that cannot run here. Test suites count it as skipped.
constexpr int cannot_run = 77;

/// Whether there is no device; says so.
inline bool is_missing(const char* program) {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error == cudaSuccess && devices > 0) return false;
  std::fprintf(stderr, "%s: there is no GPU to run on: %s\n", program,
               error == cudaSuccess ? "no device" : cudaGetErrorString(error));
  return true;
}

/// Ranks take the devices in turns, which is right on one host.
inline void choose_device(int rank) {
  int devices = 0;
  check("cudaGetDeviceCount", cudaGetDeviceCount(&devices));
  check("cudaSetDevice", cudaSetDevice(rank % devices));
}

class Stream {
 public:
  Stream() {
    check("cudaStreamCreate", cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { cudaStreamDestroy(stream_); }

  cudaStream_t get() const { return stream_; }
  operator cudaStream_t() const { return stream_; }
  void synchronize() { check("cudaStreamSynchronize", cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  Event() { check("cudaEventCreate", cudaEventCreateWithFlags(&event_, cudaEventDisableTiming)); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { cudaEventDestroy(event_); }

  void record(cudaStream_t stream) { check("cudaEventRecord", cudaEventRecord(event_, stream)); }
  /// What is given to the stream from now on waits for what was recorded last.
  void hold(cudaStream_t stream) {
    check("cudaStreamWaitEvent", cudaStreamWaitEvent(stream, event_, 0));
  }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Elements in device memory.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t size) : size_(size) {
    check("cudaMalloc", cudaMalloc(&data_, size_ * sizeof(T)));
  }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
    check("cudaMemcpy",
          cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { cudaFree(data_); }

  T* data() const { return data_; }
  std::size_t size() const { return size_; }

  /// Copies the first elements there, and all back. The stream is through with it then.
  void set(std::span<const T> values, Stream& stream) {
    copy(data_, values.data(), values.size(), stream);
  }
  void get(std::span<T> values, Stream& stream) const {
    copy(values.data(), data_, values.size(), stream);
    stream.synchronize();
  }

 private:
  static void copy(T* to, const T* from, std::size_t count, cudaStream_t stream) {
    check("cudaMemcpyAsync",
          cudaMemcpyAsync(to, from, count * sizeof(T), cudaMemcpyDefault, stream));
  }

  T* data_ = nullptr;
  std::size_t size_;
};

}  // namespace gpu
