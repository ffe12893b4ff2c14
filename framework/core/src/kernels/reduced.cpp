// Mixed precision on this thread by LibTorch's autocast: inputs of products are cast to bfloat16.

#include <ATen/autocast_mode.h>

#include "level.h"

namespace {

at::DeviceType device_of(int cuda) { return cuda ? at::kCUDA : at::kCPU; }

}  // namespace

// Returns 1 if autocast was on before.
extern "C" int triflow_reduced_begin(int cuda) {
  const at::DeviceType device = device_of(cuda);
  const bool before = at::autocast::is_autocast_enabled(device);
  at::autocast::increment_nesting();
  at::autocast::set_autocast_dtype(device, at::kBFloat16);
  at::autocast::set_autocast_enabled(device, true);
  return before;
}

// Cast weights are cached until the outermost scope ends.
extern "C" void triflow_reduced_end(int cuda, int before) {
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_of(cuda), before != 0);
}

// Returns 1 if the processor has instructions for bfloat16 that may be used.
extern "C" int triflow_has_bfloat16() {
#ifdef TRIFLOW_LEVELS
  return level() == Level::avx512 && __builtin_cpu_supports("avx512bf16") != 0;
#else
  return 0;
#endif
}
