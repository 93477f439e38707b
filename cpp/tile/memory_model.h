// How much memory pictures of a size take, from a few that were measured.
#pragma once

#include <cstdint>
#include <span>

namespace streamvsr {

// One run: samples of all its pictures, and the bytes it held at most beside the network.
struct Measured {
  double samples = 0;
  double bytes = 0;
};

// bytes = fixed + a_sample x samples. Thread-safe by being a value.
struct MemoryModel {
  double fixed = 0;
  double a_sample = 0;

  bool known() const { return a_sample > 0; }
  double bytes(const double samples) const { return fixed + a_sample * samples; }
};

// The line that no measurement lies above: its slope is the steepest between two of them, or from
// none to one. Unknown where nothing was measured.
inline MemoryModel fit(const std::span<const Measured> all) {
  MemoryModel model;
  for (const Measured& a : all) {
    for (const Measured& b : all) {
      if (b.samples > a.samples && (b.bytes - a.bytes) / (b.samples - a.samples) > model.a_sample)
        model.a_sample = (b.bytes - a.bytes) / (b.samples - a.samples);
    }
  }
  if (!model.known()) {
    for (const Measured& one : all)
      if (one.samples > 0 && one.bytes / one.samples > model.a_sample)
        model.a_sample = one.bytes / one.samples;
  }
  for (const Measured& one : all)
    if (one.bytes - model.a_sample * one.samples > model.fixed)
      model.fixed = one.bytes - model.a_sample * one.samples;
  return model;
}

}  // namespace streamvsr
