// Instruction set of the kernels: the largest that the processor has and LibTorch uses, which the
// variable ATEN_CPU_CAPABILITY lowers for both.

#include <ATen/Version.h>

#include <string>

#include "channels.h"
#include "level.h"
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

Level found() {
#ifdef TRIFLOW_LEVELS
  __builtin_cpu_init();
  const std::string used = at::get_cpu_capability();
  const bool wide = used == "AVX512";
  if (wide && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
    return Level::avx512;
  if ((wide || used == "AVX2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Level::avx2;
#endif
  return Level::baseline;
}

Kernels chosen() {
  switch (level()) {
#ifdef TRIFLOW_LEVELS
    case Level::avx512: return {triflow_rows_avx512, triflow_channels_avx512};
    case Level::avx2: return {triflow_rows_avx2, triflow_channels_avx2};
#endif
    default: return {triflow_rows_baseline, triflow_channels_baseline};
  }
}

const Kernels& kernels() {
  static const Kernels kernels = chosen();
  return kernels;
}

}  // namespace

Level level() {
  static const Level level = found();
  return level;
}

const Rows& rows_kernels() { return kernels().rows; }
const Channels& channels_kernels() { return kernels().channels; }

extern "C" int triflow_level() { return static_cast<int>(level()); }
