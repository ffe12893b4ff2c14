// NCCL for c10d.cpp, as a library of its own (libtriflow_nccl.so, scripts/libtriflow-nccl): it needs
// headers of CUDA and NCCL, which LibTorch does not bring, and symbols of libtorch_cuda, which a
// machine without a GPU lacks.

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/version.h>

extern "C" {

const char* triflow_nccl_libtorch() { return TORCH_VERSION; }

// Throws what LibTorch throws; the reference is the caller's.
c10d::Backend* triflow_nccl_backend(c10d::Store* store, int rank, int size, int device, int64_t timeout_ms) {
  const at::Device gpu(at::kCUDA, static_cast<c10::DeviceIndex>(device));
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::milliseconds(timeout_ms);
  auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      c10::intrusive_ptr<c10d::Store>::reclaim_copy(store), rank, size, std::move(options));
  backend->setBoundDeviceId(gpu);
  // Connects now, while all processes are here and an error can be reported.
  backend->eagerConnectSingleDevice(gpu);
  return backend.release();
}
}
