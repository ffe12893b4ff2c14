// Arithmetic in bfloat16 for a while: LibTorch's own casting of what goes into products, on this thread.

#include <ATen/autocast_mode.h>

namespace {

at::DeviceType device_of(int cuda) { return cuda ? at::kCUDA : at::kCPU; }

}  // namespace

// Returns whether it was so before.
extern "C" int triflow_reduced_begin(int cuda) {
  const at::DeviceType device = device_of(cuda);
  const bool before = at::autocast::is_autocast_enabled(device);
  at::autocast::increment_nesting();
  at::autocast::set_autocast_dtype(device, at::kBFloat16);
  at::autocast::set_autocast_enabled(device, true);
  return before;
}

// Cast weights are kept until the outermost ends.
extern "C" void triflow_reduced_end(int cuda, int before) {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_of(cuda), before != 0);
}

// Whether the processor has instructions for it.
extern "C" int triflow_has_bfloat16() {
#ifdef TRIFLOW_LEVELS
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return 0;
#endif
}
