// Arithmetic over rows in float32: compiled once for each level of the processor (build.rs) and chosen when the
// program runs.
#pragma once

#include <cstdint>

// A matrix to read: entry (i, j) lies at i·row + j·column.
struct Strided {
  const float* at;
  int64_t row, column;
};

struct Rows {
  // Whether products of matrices beyond the caches are at least as fast as a BLAS's.
  bool large;
  // y ← a[m,k]·b[k,n], or y + that with `add`; `y` is ld from row to row.
  void (*product)(float* y, int64_t ld, Strided a, Strided b, int64_t m, int64_t n, int64_t k, bool add);
  // Matrices are [rows, n], from row to row `ld` apart.
  // h ← act(h + bias) and slope ← act'(h + bias); `bias` [n]; `slope` may be null.
  void (*swish)(float* h, float* slope, const float* bias, int64_t rows, int64_t n, int64_t ld);
  void (*relu)(float* h, float* slope, const float* bias, int64_t rows, int64_t n, int64_t ld);
  // h ← h + bias
  void (*shift)(float* h, const float* bias, int64_t rows, int64_t n, int64_t ld);
  // out ← g · slope, and sums [n] of out's columns.
  void (*scale)(float* out, float* sums, const float* g, const float* slope, int64_t rows, int64_t n, int64_t ld);
  // Sums [n] of g's columns.
  void (*sum)(float* sums, const float* g, int64_t rows, int64_t n, int64_t ld);
  // out ← a·x + b·y, [n].
  void (*blend)(float* out, float a, const float* x, float b, const float* y, int64_t n);
  // out ← sin(t·w), then cos(t·w): w [n], out [2n]; |t·w| at most 8192.
  void (*sinusoids)(float* out, float t, const float* w, int64_t n);
  // Returns |x − y|², [n], and slope ← w·(x − y).
  float (*error)(float* slope, const float* x, const float* y, float w, int64_t n);
};

// Those for this processor.
const Rows& rows_kernels();
