// A network rearranged for row streaming: convolutions with everything that follows them fused.
#pragma once

#include <vector>

#include "model/network.h"

namespace streamvsr {

// What happens to a stage's values after product and bias, in order.
struct Step {
  enum class Kind {
    kRelu,   // max(x, 0)
    kSlope,  // x > 0 ? x : slope * x
    kAdd,    // adds the row kept in a ring
    kKeep,   // keeps the row in a ring, rounded to the engine's type
  };
  Kind kind = Kind::kRelu;
  std::vector<float> slope;  // kSlope: one value a column, Stage::pitch of them
  bool gentle = false;       // kSlope: no slope is above 1
  int ring = -1;             // kAdd, kKeep
};

// One convolution as one matrix product a row. Row k of the weights belongs, in this order, to a
// pixel (left, centre, right), within it a row (above, centre, below), within that a channel: the
// order in which the input lies in memory. A folded stage multiplies each pixel once, by the
// weights of all three horizontal taps side by side, and adds the three shares afterwards: a third
// of the columns wasted on padding when there are few outputs.
struct Stage {
  int kernel = 3;        // 3 or 1
  bool folded = false;   // kernel 3, last stage only
  int in_pitch = 0;      // values a pixel of the input
  int out_channels = 0;  // real ones
  int pitch = 0;         // values a pixel of the result: a multiple of 16; out_channels when folded
  int k = 0;             // rows of weight
  int columns = 0;       // columns of weight
  std::vector<float> weight;  // k x columns
  std::vector<float> bias;    // pitch
  std::vector<Step> steps;
  int halo = 0;  // pixels each side that later stages need beyond the strip
};

// Rows of a stage's result kept until a later stage adds them.
struct RingSpec {
  int channels = 0;
  int rows = 0;
  int halo = 0;  // of the stage that adds: what it needs beyond the strip
};

// Purpose: the pure-data plan that strips execute. Thread-safety: immutable once made. Ownership: a
// value.
struct Plan {
  std::vector<Stage> stages;
  std::vector<RingSpec> rings;
  std::vector<int> input_rings;   // rings that keep the input stack itself
  std::vector<InputKind> inputs;  // the stack's order
  int planes = 1;                 // of the picture
  int scale = 1;
  bool residual = false;
  int input_halo = 0;  // source pixels needed beyond a strip
};

Plan make_plan(const Network& network);

}  // namespace streamvsr
