// The types a network's activations are held in. A type brings its storage, its rounding and its
// name; the engine is a template over it, so that a further one (int8) is a further type.
#pragma once

#include <bit>
#include <cstdint>

#include "base/clones.h"

namespace streamvsr {

// bfloat16: the upper half of a float.
struct Bf16 {
  std::uint16_t bits = 0;

  // Nearest, ties to even. Values are finite: a network file holds no others.
  static Bf16 round(const float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    return {static_cast<std::uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16)};
  }
  float widen() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};
static_assert(sizeof(Bf16) == 2);

inline float widen(const float value) { return value; }
inline float widen(const Bf16 value) { return value.widen(); }

template <class T>
T round_to(float value);
template <>
inline float round_to<float>(const float value) {
  return value;
}
template <>
inline Bf16 round_to<Bf16>(const float value) {
  return Bf16::round(value);
}

}  // namespace streamvsr
