// See rows.h. No library functions may be used here: the linker might keep the copy of an inline
// function that is compiled for a newer processor, and use it everywhere.

#include "rows.h"
#include "scalar.h"

namespace {

using Out = float* __restrict;
using In = const float* __restrict;

// NaN stays NaN.
struct Relu {
  static ALWAYS ValueAndSlope at(float x) { return {x < 0.0f ? 0.0f : x, x > 0.0f ? 1.0f : 0.0f}; }
};

// x·Φ(x), with the normal distribution function Φ to 1e-7 (Abramowitz and Stegun 1964, 7.1.26).
struct Gelu {
  static ALWAYS ValueAndSlope at(float x) {
    const float z = as_float(as_bits(x) & 0x7fffffffu) * 0.70710678118654752f;
    const float d = 1.0f + 0.3275911f * z, e = exponential(-z * z);
    float t = as_float(0x7ef311c7u - as_bits(d));
    t += t * (1.0f - d * t);
    t += t * (1.0f - d * t);
    t += t * (1.0f - d * t);
    const float series =
        t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
    // Φ(−|x|), and Φ(x) by its symmetry.
    const float tail = 0.5f * series * e, phi = x < 0.0f ? tail : 1.0f - tail;
    return {x * phi, phi + x * 0.39894228040143268f * e};
  }
};

// x·σ(2u) with u = √(2/π)·(x + 0.044715·x³)
struct GeluTanh {
  static ALWAYS ValueAndSlope at(float x) {
    const float c = 1.5957691216057308f, square = x * x;
    const float s = sigmoid(c * x * (1.0f + 0.044715f * square));
    return {x * s, s + x * s * (1.0f - s) * c * (1.0f + 0.134145f * square)};
  }
};

template <typename Act>
void value_only(Out h, In bias, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i, h += ld)
    for (int64_t j = 0; j < n; ++j) h[j] = Act::at(h[j] + bias[j]).value;
}

template <typename Act>
void value_and_slope(Out h, Out slope, In bias, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t i = 0; i < rows; ++i, h += ld, slope += ld)
    for (int64_t j = 0; j < n; ++j) {
      const ValueAndSlope y = Act::at(h[j] + bias[j]);
      h[j] = y.value;
      slope[j] = y.slope;
    }
}

template <typename Act>
void activate(float* h, float* slope, const float* bias, int64_t rows, int64_t n, int64_t ld) {
  slope ? value_and_slope<Act>(h, slope, bias, rows, n, ld) : value_only<Act>(h, bias, rows, n, ld);
}

void shift(float* h, const float* bias, int64_t rows, int64_t n, int64_t ld) {
  Out y = h;
  In b = bias;
  for (int64_t i = 0; i < rows; ++i, y += ld)
    for (int64_t j = 0; j < n; ++j) y[j] += b[j];
}

// `out` may be `g`.
void scale_rows(float* out, Out sums, const float* g, In slope, int64_t rows, int64_t n, int64_t ld) {
  for (int64_t j = 0; j < n; ++j) sums[j] = 0.0f;
  for (int64_t i = 0; i < rows; ++i, out += ld, g += ld, slope += ld)
#pragma GCC ivdep
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

// Sine and cosine: x is reduced to at most π/4 by multiples of π/2, which is subtracted in three
// parts, and the series are evaluated there (Cephes, sinf.c).
void sinusoids_row(Out sines, Out cosines, float t, In w, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    const float x = t * w[j];
    const float shift = 12582912.0f;
    const float turns = (x * 0.636619772367581343f + shift) - shift;
    const float r = ((x - turns * 1.5703125f) - turns * 4.837512969970703125e-4f) - turns * 7.54978995489188216e-8f;
    const float z = r * r;
    const float sine = r + r * z * (-1.6666654611e-1f + z * (8.3321608736e-3f + z * -1.9515295891e-4f));
    const float cosine = 1.0f - 0.5f * z +
        z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
    const uint32_t quarter = static_cast<uint32_t>(static_cast<int32_t>(turns)), odd = 0u - (quarter & 1u);
    const uint32_t s = as_bits(sine), c = as_bits(cosine);
    sines[j] = as_float(((s & ~odd) | (c & odd)) ^ ((quarter & 2u) << 30));
    cosines[j] = as_float(((c & ~odd) | (s & odd)) ^ (((quarter + 1u) & 2u) << 30));
  }
}

void sinusoids(float* out, float t, const float* w, int64_t n) { sinusoids_row(out, out + n, t, w, n); }

float squares_row(In x, int64_t n) {
  float sums[lanes] = {};
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes)
    for (int l = 0; l < lanes; ++l) sums[l] += x[j + l] * x[j + l];
  float all = 0.0f;
  for (; j < n; ++j) all += x[j] * x[j];
  for (int l = 0; l < lanes; ++l) all += sums[l];
  return all;
}

float squares(const float* x, int64_t n) { return squares_row(x, n); }

float error_row(Out slope, In x, In y, float w, int64_t n) {
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

ALWAYS float larger(float a, float b) { return a > b ? a : b; }

void softmax_row(Out x, In bias, float scale, int64_t n) {
  float most[lanes], sums[lanes] = {};
  for (int l = 0; l < lanes; ++l) most[l] = -3e38f;
  int64_t j = 0;
  if (bias)
    for (; j < n; ++j) x[j] = scale * x[j] + bias[j];
  else
    for (; j < n; ++j) x[j] = scale * x[j];
  for (j = 0; j + lanes <= n; j += lanes)
    for (int l = 0; l < lanes; ++l) most[l] = larger(x[j + l], most[l]);
  for (; j < n; ++j) most[0] = larger(x[j], most[0]);
  for (int l = 1; l < lanes; ++l) most[0] = larger(most[l], most[0]);
  const float highest = most[0];
  for (j = 0; j < n; ++j) {
    const float d = x[j] - highest, e = exponential(d);
    // Excluded entries are 0, and NaN stays NaN.
    x[j] = d < -87.0f ? 0.0f : (d == d ? e : d);
  }
  for (j = 0; j + lanes <= n; j += lanes)
    for (int l = 0; l < lanes; ++l) sums[l] += x[j + l];
  for (; j < n; ++j) sums[0] += x[j];
  for (int l = 1; l < lanes; ++l) sums[0] += sums[l];
  const float share = 1.0f / sums[0];
  for (j = 0; j < n; ++j) x[j] *= share;
}

void softmax(float* x, const float* bias, int64_t bias_row, float scale, int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; ++i) softmax_row(x + i * n, bias ? bias + i * bias_row : nullptr, scale, n);
}

void softmax_slope_row(Out g, In p, float scale, int64_t n) {
  float sums[lanes] = {};
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes)
    for (int l = 0; l < lanes; ++l) sums[l] += g[j + l] * p[j + l];
  for (; j < n; ++j) sums[0] += g[j] * p[j];
  for (int l = 1; l < lanes; ++l) sums[0] += sums[l];
  const float mean = sums[0];
  for (j = 0; j < n; ++j) g[j] = scale * p[j] * (g[j] - mean);
}

void softmax_slope(float* g, const float* p, float scale, int64_t rows, int64_t n) {
  for (int64_t i = 0; i < rows; ++i) softmax_slope_row(g + i * n, p + i * n, scale, n);
}

// ---- products -----------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int width = 16, tall = 8;
#elif defined(__AVX2__)
constexpr int width = 8, tall = 6;
#else
constexpr int width = 4, tall = 4;
#endif
constexpr int wide = 2 * width;  // columns of a tile
constexpr int deep = 256;        // rows of b at a time; a tile's fit in the first-level cache
// Rows of a at a time: packed, they fit in the second-level cache while all of b is read.
constexpr int high = 256 / tall * tall;

typedef float Lanes __attribute__((vector_size(4 * width)));
typedef float Loose __attribute__((vector_size(4 * width), aligned(4)));  // unaligned
typedef float Four __attribute__((vector_size(16)));
typedef float LooseFour __attribute__((vector_size(16), aligned(4)));
typedef int32_t Places __attribute__((vector_size(16)));

ALWAYS Lanes load(const float* p) { return *reinterpret_cast<const Loose*>(p); }
ALWAYS void store(float* p, Lanes x) { *reinterpret_cast<Loose*>(p) = x; }
ALWAYS Four load_four(const float* p) { return *reinterpret_cast<const LooseFour*>(p); }
ALWAYS void store_four(float* p, Four x) { *reinterpret_cast<LooseFour*>(p) = x; }

// A tile of y, [height, wide], held in registers while it is summed over k; `b` is [k, wide],
// dense.
template <int height>
ALWAYS void tile(float* y, int64_t ld, Strided a, const float* b, int64_t k, bool add) {
  Lanes sums[height][2];
#pragma GCC unroll 8
  for (int i = 0; i < height; ++i) {
    __builtin_prefetch(y + i * ld + width, 1);
    sums[i][0] = sums[i][1] = Lanes{};
  }
  const float* from = a.at;
#pragma GCC unroll 4
  for (int64_t l = 0; l < k; ++l, from += a.column, b += wide) {
    const Lanes left = load(b), right = load(b + width);
#pragma GCC unroll 8
    for (int i = 0; i < height; ++i) {
      const float x = from[i * a.row];
      sums[i][0] += x * left;
      sums[i][1] += x * right;
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < height; ++i, y += ld) {
    store(y, add ? load(y) + sums[i][0] : sums[i][0]);
    store(y + width, add ? load(y + width) + sums[i][1] : sums[i][1]);
  }
}

// A tile whose height is known at run time only.
template <int height>
ALWAYS void tile_of(int64_t rows, float* y, int64_t ld, Strided a, const float* b, int64_t k, bool add) {
  if constexpr (height > 0) {
    if (rows == height) return tile<height>(y, ld, a, b, k, add);
    tile_of<height - 1>(rows, y, ld, a, b, k, add);
  }
}

// Transposes a block of 4 by 4 entries: rows of `from` are `ld` apart, rows of `to` are `wide`
// apart.
ALWAYS void turn(float* to, const float* from, int64_t ld) {
  const Four a = load_four(from), b = load_four(from + ld), c = load_four(from + 2 * ld), d = load_four(from + 3 * ld);
  const Places lower{0, 4, 1, 5}, upper{2, 6, 3, 7}, first{0, 1, 4, 5}, second{2, 3, 6, 7};
  const Four ab = __builtin_shuffle(a, b, lower), cd = __builtin_shuffle(c, d, lower);
  const Four ba = __builtin_shuffle(a, b, upper), dc = __builtin_shuffle(c, d, upper);
  store_four(to, __builtin_shuffle(ab, cd, first));
  store_four(to + wide, __builtin_shuffle(ab, cd, second));
  store_four(to + 2 * wide, __builtin_shuffle(ba, dc, first));
  store_four(to + 3 * wide, __builtin_shuffle(ba, dc, second));
}

ALWAYS int64_t rest(int64_t n, int64_t from, int64_t most) { return n - from < most ? n - from : most; }

template <int size>
ALWAYS void copy(float* to, const float* from) {
#pragma GCC unroll 32
  for (int j = 0; j < size; ++j) to[j] = from[j];
}

// Copies [k, n] into contiguous rows of `size` entries, n at most `size`; the rest of a row is 0.
template <int size>
ALWAYS void pack(float* to, Strided from, int64_t k, int64_t n) {
  int64_t l = 0;
  if (n == size && from.column == 1) {
    for (; l < k; ++l, to += size) copy<size>(to, from.at + l * from.row);
  } else if (n == size && from.row == 1 && size == wide) {
    constexpr int line = 16;  // entries of a cache line
    for (; l + line <= k; l += line, to += line * size)
      for (int j = 0; j < size; j += 4) {
        const float* at = from.at + l + j * from.column;
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) __builtin_prefetch(at + i * from.column + 2 * line);
#pragma GCC unroll 4
        for (int i = 0; i < line; i += 4) turn(to + i * size + j, at + i, from.column);
      }
  }
  for (; l < k; ++l, to += size)
    for (int64_t j = 0; j < size; ++j) to[j] = j < n ? from.at[l * from.row + j * from.column] : 0.0f;
}

// Columns of b packed at once, in strips of `wide`, because neighbouring reads are fast.
constexpr int at_once = 4 * wide;

ALWAYS void pack_strips(float* to, Strided b, int64_t k, int64_t n) {
  int64_t j = 0;
  if (b.column == 1) {
    const int64_t whole = n / wide * wide;
    for (int64_t l = 0; l < k; ++l)
      for (j = 0; j < whole; j += wide) copy<wide>(to + j * deep + l * wide, b.at + l * b.row + j);
    j = whole;
  }
  for (; j < n; j += wide)
    pack<wide>(to + j * deep, {b.at + j * b.column, b.row, b.column}, k, rest(n, j, wide));
}

// y ← a·b, or y + a·b with `add`, for at most `deep` columns of a. `of_row(i)` is a from row i on.
template <typename A>
ALWAYS void strips(float* y, int64_t ld, const A& of_row, Strided b, int64_t m, int64_t n, int64_t k, bool add) {
  alignas(64) float packed[deep * at_once];
  alignas(64) float edge[tall * wide];
  for (int64_t j = 0; j < n; j += wide) {
    if (j % at_once == 0)
      pack_strips(packed, {b.at + j * b.column, b.row, b.column}, k, rest(n, j, at_once));
    const float* strip = packed + j % at_once * deep;
    const int64_t columns = rest(n, j, wide);
    for (int64_t i = 0; i < m; i += tall) {
      const int64_t rows = rest(m, i, tall);
      float* to = y + i * ld + j;
      if (columns == wide) {
        tile_of<tall>(rows, to, ld, of_row(i), strip, k, add);
        continue;
      }
      tile_of<tall>(rows, edge, wide, of_row(i), strip, k, false);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c) to[r * ld + c] = edge[r * wide + c] + (add ? to[r * ld + c] : 0.0f);
    }
  }
}

// Product without packing of a.
void in_place(float* y, int64_t ld, Strided a, Strided b, int64_t m, int64_t n, int64_t k, bool add) {
  strips(y, ld, [&](int64_t i) { return Strided{a.at + i * a.row, a.row, a.column}; }, b, m, n, k, add);
}

// Product with a packed tile by tile, for at most `high` rows.
void packed(float* y, int64_t ld, Strided a, Strided b, int64_t m, int64_t n, int64_t k, bool add) {
  alignas(64) float tiles[high * deep];
  for (int64_t i = 0; i < m; i += tall)
    pack<tall>(tiles + i * k, {a.at + i * a.row, a.column, a.row}, k, rest(m, i, tall));
  strips(y, ld, [&](int64_t i) { return Strided{tiles + i * k, 1, tall}; }, b, m, n, k, add);
}

void product(float* y, int64_t ld, Strided a, Strided b, int64_t m, int64_t n, int64_t k, bool add) {
  // Where each entry of a row of a is in another cache line, a is packed, unless it is used a few
  // times only.
  const bool packs = a.column != 1 && n > 128;
  const int64_t rows = packs ? high : m;
  for (int64_t l = 0; l < k; l += deep, add = true)
    for (int64_t i = 0; i < m; i += rows)
      (packs ? packed : in_place)(
          y + i * ld, ld, {a.at + i * a.row + l * a.column, a.row, a.column}, {b.at + l * b.row, b.row, b.column},
          rest(m, i, rows), n, rest(k, l, deep), add);
}

}  // namespace

#define JOINED(a, b) a##b
#define NAMED(level) JOINED(triflow_rows_, level)
extern "C" {
extern const Rows NAMED(TRIFLOW_LEVEL);
const Rows NAMED(TRIFLOW_LEVEL) = {width > 4, product, activate<Swish>, activate<Relu>, activate<Gelu>, activate<GeluTanh>, shift, scale, sum, blend, sinusoids, softmax, softmax_slope, error, squares};
}
