// See channels.h. As in rows.cpp, no library functions may be used here.

#include "channels.h"
#include "scalar.h"

namespace {

using In = const float* __restrict;
using Out = float* __restrict;

ALWAYS float read(float x) { return x; }
ALWAYS float read(uint16_t x) { return as_float(static_cast<uint32_t>(x) << 16); }

template <typename T>
ALWAYS T rounded(float x);

template <>
ALWAYS float rounded<float>(float x) {
  return x;
}

// To the nearest, ties to even; NaN stays NaN.
template <>
ALWAYS uint16_t rounded<uint16_t>(float x) {
  const uint32_t bits = as_bits(x), nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return static_cast<uint16_t>(x == x ? nearest : (bits >> 16) | 0x40u);
}

// x
struct Linear {
  static ALWAYS ValueAndSlope at(float x) { return {x, 1.0f}; }
};

template <typename T>
void moments(Out sums, Out squares, const T* __restrict x, In mean, int64_t rows, int64_t n) {
  for (int64_t j = 0; j < n; ++j) sums[j] = squares[j] = 0.0f;
  for (int64_t i = 0; i < rows; ++i, x += n)
    for (int64_t j = 0; j < n; ++j) {
      const float d = read(x[j]) - mean[j];
      sums[j] += d;
      squares[j] += d * d;
    }
}

template <typename Act, typename T>
void forward(T* __restrict y, const T* __restrict x, In a, In b, int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; ++i, x += n, y += n)
    for (int64_t j = 0; j < n; ++j) y[j] = rounded<T>(Act::at(a[j] * read(x[j]) + b[j]).value);
}

template <typename Act, typename T>
void backward(
    Out out, Out sums, Out products, const T* __restrict g, const T* __restrict x, In a, In b, In mean, int64_t rows,
    int64_t n) {
  for (int64_t j = 0; j < n; ++j) sums[j] = products[j] = 0.0f;
  for (int64_t i = 0; i < rows; ++i, x += n, g += n, out += n)
    for (int64_t j = 0; j < n; ++j) {
      const float at = read(x[j]), y = read(g[j]) * Act::at(a[j] * at + b[j]).slope;
      out[j] = y;
      sums[j] += y;
      products[j] += y * (at - mean[j]);
    }
}

template <typename T>
void combine(
    T* __restrict out, In g, const T* __restrict x, In a, In b, In mean, In c, int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; ++i, x += n, g += n, out += n)
    for (int64_t j = 0; j < n; ++j) out[j] = rounded<T>(a[j] * g[j] + b[j] * (read(x[j]) - mean[j]) + c[j]);
}

template <typename T>
constexpr ChannelsOf<T> all() {
  return {moments<T>, forward<Linear, T>, forward<Swish, T>, backward<Linear, T>, backward<Swish, T>, combine<T>};
}

}  // namespace

#define JOINED(a, b) a##b
#define NAMED(level) JOINED(triflow_channels_, level)
extern "C" {
extern const Channels NAMED(TRIFLOW_LEVEL);
const Channels NAMED(TRIFLOW_LEVEL) = {all<float>(), all<uint16_t>()};
}
