// Arithmetic over rows in float32, compiled once for each instruction set (build.rs) and selected
// at run time.
#pragma once

#include <cstdint>

// A matrix to read: entry (i, j) is at i·row + j·column.
struct Strided {
  const float* at;
  int64_t row, column;
};

struct Rows {
  // True if products of matrices larger than the caches are at least as fast as those of a BLAS.
  bool large;
  // y ← a[m,k]·b[k,n], or y + a·b with `add`; rows of `y` are `ld` apart.
  void (*product)(float* y, int64_t ld, Strided a, Strided b, int64_t m, int64_t n, int64_t k, bool add);
  // Below, matrices are [rows, n] with rows `ld` apart.
  // h ← act(h + bias) and slope ← act'(h + bias); `bias` [n]; `slope` may be null.
  using Activation = void (*)(float* h, float* slope, const float* bias, int64_t rows, int64_t n, int64_t ld);
  Activation swish, relu, gelu, gelu_tanh;
  // h ← h + bias
  void (*shift)(float* h, const float* bias, int64_t rows, int64_t n, int64_t ld);
  // out ← g · slope, and the column sums [n] of out; `out` may be `g`.
  void (*scale)(float* out, float* sums, const float* g, const float* slope, int64_t rows, int64_t n, int64_t ld);
  // Column sums [n] of g.
  void (*sum)(float* sums, const float* g, int64_t rows, int64_t n, int64_t ld);
  // out ← a·x + b·y, [n].
  void (*blend)(float* out, float a, const float* x, float b, const float* y, int64_t n);
  // out ← sin(t·w), then cos(t·w): w [n], out [2n], |t·w| at most 8192.
  void (*sinusoids)(float* out, float t, const float* w, int64_t n);
  // x ← the softmax of scale·x + bias over each row, [rows, n]; `bias`, with rows `bias_row` apart,
  // may be null.
  void (*softmax)(float* x, const float* bias, int64_t bias_row, float scale, int64_t rows, int64_t n);
  // g ← the gradient of the x above, for the gradient g of its softmax p, [rows, n].
  void (*softmax_slope)(float* g, const float* p, float scale, int64_t rows, int64_t n);
  // Returns |x − y|², [n], and slope ← w·(x − y).
  float (*error)(float* slope, const float* x, const float* y, float w, int64_t n);
  // Returns |x|², [n].
  float (*squares)(const float* x, int64_t n);
};

// Kernels for this processor.
const Rows& rows_kernels();
