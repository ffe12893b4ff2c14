// Instruction set of the processor.

#include "channels.h"
#include "rows.h"

extern "C" {
extern const Rows triflow_rows_baseline;
extern const Channels triflow_channels_baseline;
#ifdef TRIFLOW_LEVELS
extern const Rows triflow_rows_avx2, triflow_rows_avx512;
extern const Channels triflow_channels_avx2, triflow_channels_avx512;
#endif
}

namespace {

struct Kernels {
  const Rows& rows;
  const Channels& channels;
};

Kernels chosen() {
#ifdef TRIFLOW_LEVELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    return {triflow_rows_avx512, triflow_channels_avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {triflow_rows_avx2, triflow_channels_avx2};
#endif
  return {triflow_rows_baseline, triflow_channels_baseline};
}

const Kernels& kernels() {
  static const Kernels kernels = chosen();
  return kernels;
}

}  // namespace

const Rows& rows_kernels() { return kernels().rows; }
const Channels& channels_kernels() { return kernels().channels; }
