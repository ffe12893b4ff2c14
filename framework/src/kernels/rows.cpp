// See rows.h. Nothing of a library may be used here: of an inline function compiled for a newer processor the
// linker might keep that copy for all.

#include "rows.h"

#include <cstring>

namespace {

using Out = float* __restrict;
using In = const float* __restrict;

#define ALWAYS inline __attribute__((always_inline))

ALWAYS float as_float(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

ALWAYS uint32_t as_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

// e^x to about one unit in the last place: x = n·ln 2 + r with |r| <= ln 2 / 2, and the series of e^r. Beyond
// ±87 that of ±87, and of 87 for what is not a number. The bound is taken on bits, where a compiler sees a
// minimum: of a comparison of floats it makes branches.
ALWAYS float exponential(float x) {
  const uint32_t bits = as_bits(x);
  const int32_t size = static_cast<int32_t>(bits & 0x7fffffffu), bound = 0x42ae0000;  // 87
  x = as_float((bits & 0x80000000u) | static_cast<uint32_t>(size < bound ? size : bound));
  const float shift = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer
  const float n = (x * 1.44269504088896341f + shift) - shift;
  const float r = (x - n * 0.693359375f) + n * 2.12194440054690583e-4f;
  float p = 1.0f / 5040.0f;
  p = p * r + 1.0f / 720.0f;
  p = p * r + 1.0f / 120.0f;
  p = p * r + 1.0f / 24.0f;
  p = p * r + 1.0f / 6.0f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * as_float(static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23);
}

// 1/(1 + e^-x). Division takes as long as all the rest: instead a guess from the bits, off by an eighth at most,
// and three steps of Newton's.
ALWAYS float sigmoid(float x) {
  const float d = 1.0f + exponential(-x);
  float r = as_float(0x7ef311c7u - as_bits(d));
  r += r * (1.0f - d * r);
  r += r * (1.0f - d * r);
  r += r * (1.0f - d * r);
  return r;
}

void swish_only(Out h, In bias, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i, h += ld)
    for (int64_t j = 0; j < n; ++j) {
      const float x = h[j] + bias[j];
      h[j] = x * sigmoid(x);
    }
}

void swish_and_slope(Out h, Out slope, In bias, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i, h += ld, slope += ld)
    for (int64_t j = 0; j < n; ++j) {
      const float x = h[j] + bias[j], s = sigmoid(x), y = x * s;
      h[j] = y;
      slope[j] = s * (1.0f + x - y);
    }
}

void swish(float* h, float* slope, const float* bias, int64_t rows, int64_t n, int64_t ld) {
  slope ? swish_and_slope(h, slope, bias, rows, n, ld) : swish_only(h, bias, rows, n, ld);
}

// What is not a number stays so.
void relu_only(Out h, In bias, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i, h += ld)
    for (int64_t j = 0; j < n; ++j) {
      const float x = h[j] + bias[j];
      h[j] = x < 0.0f ? 0.0f : x;
    }
}

void relu_and_slope(Out h, Out slope, In bias, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i, h += ld, slope += ld)
    for (int64_t j = 0; j < n; ++j) {
      const float x = h[j] + bias[j];
      h[j] = x < 0.0f ? 0.0f : x;
      slope[j] = x > 0.0f ? 1.0f : 0.0f;
    }
}

void relu(float* h, float* slope, const float* bias, int64_t rows, int64_t n, int64_t ld) {
  slope ? relu_and_slope(h, slope, bias, rows, n, ld) : relu_only(h, bias, rows, n, ld);
}

void shift(float* h, const float* bias, int64_t rows, int64_t n, int64_t ld) {
  Out y = h;
  In b = bias;
  for (int64_t i = 0; i < rows; ++i, y += ld)
    for (int64_t j = 0; j < n; ++j) y[j] += b[j];
}

void scale_rows(Out out, Out sums, In g, In slope, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t j = 0; j < n; ++j) sums[j] = 0.0f;
  for (int64_t i = 0; i < rows; ++i, out += ld, g += ld, slope += ld)
    for (int64_t j = 0; j < n; ++j) {
      const float y = g[j] * slope[j];
      out[j] = y;
      sums[j] += y;
    }
}

void scale(float* out, float* sums, const float* g, const float* slope, int64_t rows, int64_t n, int64_t ld) {
  scale_rows(out, sums, g, slope, rows, n, ld);
}

void sum_rows(Out sums, In g, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t j = 0; j < n; ++j) sums[j] = 0.0f;
  for (int64_t i = 0; i < rows; ++i, g += ld)
    for (int64_t j = 0; j < n; ++j) sums[j] += g[j];
}

void sum(float* sums, const float* g, int64_t rows, int64_t n, int64_t ld) { sum_rows(sums, g, rows, n, ld); }

void blend_row(Out out, float a, In x, float b, In y, int64_t n) {
  for (int64_t j = 0; j < n; ++j) out[j] = a * x[j] + b * y[j];
}

void blend(float* out, float a, const float* x, float b, const float* y, int64_t n) {
  blend_row(out, a, x, b, y, n);
}

float error_row(Out slope, In x, In y, float w, int64_t n) {
  constexpr int lanes = 16;  // of sums that a vector holds
  float sums[lanes] = {};
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes)
    for (int l = 0; l < lanes; ++l) {
      const float d = x[j + l] - y[j + l];
      slope[j + l] = w * d;
      sums[l] += d * d;
    }
  float all = 0.0f;
  for (; j < n; ++j) {
    const float d = x[j] - y[j];
    slope[j] = w * d;
    all += d * d;
  }
  for (int l = 0; l < lanes; ++l) all += sums[l];
  return all;
}

float error(float* slope, const float* x, const float* y, float w, int64_t n) { return error_row(slope, x, y, w, n); }

}  // namespace

#define JOINED(a, b) a##b
#define NAMED(level) JOINED(triflow_rows_, level)
extern "C" {
extern const Rows NAMED(TRIFLOW_LEVEL);
const Rows NAMED(TRIFLOW_LEVEL) = {swish, relu, shift, scale, sum, blend, error};
}
