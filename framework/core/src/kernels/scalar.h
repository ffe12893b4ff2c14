// Functions of one number that compilers turn into vector instructions. Everything is inlined, so
// that each instruction set has code of its own.
#pragma once

#include <cstdint>
#include <cstring>

namespace {

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

// e^x to about one unit in the last place: x = n·ln 2 + r with |r| <= ln 2 / 2, and the series of
// e^r. Beyond ±87 the value at ±87, and at 87 for NaN. The limit is applied to the bits, because
// compilers make a minimum of that and branches of a comparison of floats.
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

// 1/(1 + e^-x). A division would take as long as all the rest, so the reciprocal is a guess from
// the bits, with an error of at most 1/8, and three steps of Newton's method.
ALWAYS float sigmoid(float x) {
  const float d = 1.0f + exponential(-x);
  float r = as_float(0x7ef311c7u - as_bits(d));
  r += r * (1.0f - d * r);
  r += r * (1.0f - d * r);
  r += r * (1.0f - d * r);
  return r;
}

struct ValueAndSlope {
  float value, slope;
};

// x·σ(x)
struct Swish {
  static ALWAYS ValueAndSlope at(float x) {
    const float s = sigmoid(x), y = x * s;
    return {y, s * (1.0f + x - y)};
  }
};

constexpr int lanes = 16;  // of a vector of sums

}  // namespace
