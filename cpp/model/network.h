// A network as data: a list of layers, read from a network file (docs/network-format.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/safetensors.h"

namespace streamvsr {

enum class LayerOp { kConv3x3, kConv1x1, kRelu, kLeakyRelu, kPrelu, kSkip, kPixelShuffle };

struct Layer {
  LayerOp op = LayerOp::kRelu;
  Tensor weight;       // conv: (out, in, k, k); prelu: (channels)
  Tensor bias;         // conv: (out)
  float slope = 0.0F;  // leaky_relu
  int from = -1;       // skip: index of the layer whose output is added; -1 is the input stack
  int factor = 1;      // pixel_shuffle
  int channels = 0;    // of this layer's output
};

enum class InputKind { kFrame, kCodecStrength };

// Purpose: a network that was checked in full: whatever runs it needs no checks of its own.
// Thread-safety: immutable by convention once read. Ownership: a value.
struct Network {
  std::string name;
  int scale = 1;   // 1..4
  int planes = 1;  // 1: luma; 3: R, G, B
  std::vector<InputKind>
      inputs;  // channel order of the input stack; one kFrame, which is `planes` channels
  bool residual_nearest = false;
  std::vector<Layer> layers;
  std::string trained_on;
  std::string licence;

  int input_channels() const;
  // Constant planes of the input stack, in order: how many values run() wants beside a picture.
  int condition_count() const;
  std::int64_t parameter_count() const;
  // Floating-point operations (two a multiply-add) of the convolutions for one source sample.
  double flops_per_pixel() const;
};

// Throws kNotFound, kIo or kModel; a kModel message says what is wrong, where, and what to do.
Network read_network(const std::string& path);

}  // namespace streamvsr
