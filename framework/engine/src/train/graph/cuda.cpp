// CUDA graphs for `cuda.rs`. This is a separate library because it needs CUDA's headers, which
// LibTorch does not include, and symbols of libtorch_cuda, which a machine without a GPU lacks.
// `make libtriflow-cuda` builds it.

#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/version.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>

namespace {

// Work on the default stream cannot be captured, so all steps of a training run on another stream.
struct Session {
  explicit Session(c10::DeviceIndex index)
      : device(index),
        before(c10::cuda::getCurrentCUDAStream(index)),
        beside(c10::cuda::getStreamFromPool(false, index)) {
    const c10::cuda::CUDAGuard guard(device);
    // Work that was launched before must be finished before the other stream begins.
    c10::cuda::device_synchronize();
    c10::cuda::setCurrentCUDAStream(beside);
  }

  void begin() {
    const c10::cuda::CUDAGuard guard(device);
    graph.reset();
    c10::cuda::device_synchronize();
    // A failed capture leaves the generator's state unusable, so the capture uses a copy.
    at::Generator generator = at::cuda::detail::getDefaultCUDAGenerator(device);
    generator_state = generator.graphsafe_get_state();
    generator.graphsafe_set_state(generator_state.clone());
    pool = at::cuda::graph_pool_handle();
    graph = std::make_unique<at::cuda::CUDAGraph>();
    try {
      // This mode allows other threads to use the device during the capture.
      graph->capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    } catch (...) {
      give_up();
      throw;
    }
  }

  void end(bool keep) {
    const c10::cuda::CUDAGuard guard(device);
    try {
      graph->capture_end();
    } catch (...) {
      give_up();
      throw;
    }
    if (keep)
      generator_state = at::Generator();
    else
      give_up(true);
  }

  void replay() {
    const c10::cuda::CUDAGuard guard(device);
    TORCH_CHECK(graph, "there is no graph");
    graph->replay();
  }

  void leave() {
    const c10::cuda::CUDAGuard guard(device);
    c10::cuda::setCurrentCUDAStream(before);
    c10::cuda::device_synchronize();
    graph.reset();
  }

 private:
  void give_up(bool ended = false) {
    at::Generator generator = at::cuda::detail::getDefaultCUDAGenerator(device);
    generator.graphsafe_set_state(generator_state);
    generator_state = at::Generator();
    if (!ended) {
      try {
        // Otherwise the allocator would continue to query the graph for its streams.
        c10::cuda::CUDACachingAllocator::endAllocateToPool(device, pool);
      } catch (const std::exception&) {
        // The allocation has ended already.
      }
    }
    graph.reset();
  }

  c10::DeviceIndex device;
  c10::cuda::CUDAStream before, beside;
  std::unique_ptr<at::cuda::CUDAGraph> graph;
  at::cuda::MempoolId_t pool{0, 0};
  at::Generator generator_state;
};

// Runs f and returns 0; if f throws, returns 1 and a message, which the caller frees with
// triflow_cuda_free.
template <typename F>
int guarded(char** error, F f) {
  try {
    f();
    return 0;
  } catch (const std::exception& e) {
    *error = strdup(e.what());
  } catch (...) {
    *error = strdup("unknown exception");
  }
  return 1;
}

}  // namespace

extern "C" {

const char* triflow_cuda_libtorch() { return TORCH_VERSION; }

int triflow_cuda_enter(int device, void** session, char** error) {
  return guarded(error, [&] { *session = new Session(static_cast<c10::DeviceIndex>(device)); });
}

int triflow_cuda_begin(void* session, char** error) {
  return guarded(error, [&] { static_cast<Session*>(session)->begin(); });
}

int triflow_cuda_end(void* session, int keep, char** error) {
  return guarded(error, [&] { static_cast<Session*>(session)->end(keep != 0); });
}

int triflow_cuda_replay(void* session, char** error) {
  return guarded(error, [&] { static_cast<Session*>(session)->replay(); });
}

int triflow_cuda_leave(void* session, char** error) {
  const std::unique_ptr<Session> last(static_cast<Session*>(session));
  return guarded(error, [&] { last->leave(); });
}

void triflow_cuda_free(char* message) { std::free(message); }
}
