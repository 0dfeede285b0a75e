#include "cuda/errors.hpp"

#include "base/text.hpp"
#include "cuda/driver.hpp"

namespace rondo {

namespace {

ErrorCode code_of(cudaError_t error) {
  switch (error) {
    case cudaErrorMemoryAllocation:
      return ErrorCode::resource;
    case cudaErrorNotSupported:
    case cudaErrorInsufficientDriver:
    case cudaErrorNoDevice:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      return ErrorCode::unsupported;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidDevice:
    case cudaErrorInvalidDevicePointer:
    case cudaErrorInvalidResourceHandle:
    case cudaErrorDeviceUninitialized:  // a handle that this process has exported
    case cudaErrorMapBufferObjectFailed:
    case cudaErrorStreamCaptureUnsupported:
    case cudaErrorStreamCaptureInvalidated:
    case cudaErrorStreamCaptureMerge:
    case cudaErrorStreamCaptureUnmatched:
    case cudaErrorStreamCaptureUnjoined:
    case cudaErrorStreamCaptureIsolation:
    case cudaErrorStreamCaptureImplicit:
    case cudaErrorStreamCaptureWrongThread:
    case cudaErrorCapturedEvent:
      return ErrorCode::invalid_argument;
    default:
      return ErrorCode::io;
  }
}

// What the driver's codes mean here; the numbers of the runtime's are the same since CUDA 10.1.
cudaError_t runtime_code(CUresult error) {
  return static_cast<cudaError_t>(error);
}

}  // namespace

Error cuda_error(const char* call, cudaError_t error) {
  static_cast<void>(cudaGetLastError());
  return Error(code_of(error),
               concat(call, ": ", cudaGetErrorString(error), " (", cudaGetErrorName(error), ")"));
}

Error cuda_error(const char* call, CUresult error) {
  return cuda_error(call, runtime_code(error));
}

}  // namespace rondo
