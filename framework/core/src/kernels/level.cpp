// Instruction set of the processor.

#include "rows.h"

extern "C" {
extern const Rows triflow_rows_baseline;
#ifdef TRIFLOW_LEVELS
extern const Rows triflow_rows_avx2, triflow_rows_avx512;
#endif
}

namespace {

const Rows& chosen() {
#ifdef TRIFLOW_LEVELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return triflow_rows_avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return triflow_rows_avx2;
#endif
  return triflow_rows_baseline;
}

}  // namespace

const Rows& rows_kernels() {
  static const Rows& kernels = chosen();
  return kernels;
}
