// Arithmetic over pixels by channels, for group norm: compiled once for each instruction set
// (build.rs) and selected at run time. Entries are float, or uint16_t for bfloat16; arithmetic is
// in float.
#pragma once

#include <cstdint>

// Matrices are [rows, n], dense; a, b, c, mean and sums are [n].
template <typename T>
struct ChannelsOf {
  // sums ← the column sums of x − mean, and squares ← those of its squares.
  void (*moments)(float* sums, float* squares, const T* x, const float* mean, int64_t rows, int64_t n);
  // y ← act(a·x + b)
  using Forward = void (*)(T* y, const T* x, const float* a, const float* b, int64_t rows, int64_t n);
  Forward linear, swish;
  // out ← g·act'(a·x + b), sums ← its column sums, and products ← those of out·(x − mean).
  using Backward = void (*)(
      float* out, float* sums, float* products, const T* g, const T* x, const float* a, const float* b,
      const float* mean, int64_t rows, int64_t n);
  Backward linear_slope, swish_slope;
  // out ← a·g + b·(x − mean) + c
  void (*combine)(
      T* out, const float* g, const T* x, const float* a, const float* b, const float* mean, const float* c,
      int64_t rows, int64_t n);
};

struct Channels {
  ChannelsOf<float> full;
  ChannelsOf<uint16_t> half;
};

// Kernels for this processor.
const Channels& channels_kernels();
