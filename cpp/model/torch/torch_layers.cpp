#include "model/torch/torch_layers.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <span>

#include "model/torch/torch_failure.h"

namespace streamvsr {

TorchLayers::TorchLayers(const streamvsr_torch_layers& network, const at::Device& device,
                         const at::ScalarType dtype)
    : planes_(network.planes),
      scale_(network.scale),
      residual_nearest_(network.residual_nearest != 0) {
  for (const std::int32_t input : std::span(network.inputs, network.input_count)) {
    inputs_.push_back(input);
    if (input == STREAMVSR_TORCH_CONDITION) ++conditions_;
  }
  const auto tensor = [&](const float* values, const at::IntArrayRef shape) {
    at::Tensor copy = at::from_blob(const_cast<float*>(values), shape, at::kFloat)
                          .to(at::TensorOptions(device).dtype(dtype), false, true);
    return shape.size() == 4 ? copy.contiguous(at::MemoryFormat::ChannelsLast) : copy;
  };
  for (const streamvsr_torch_layer& given : std::span(network.layers, network.count)) {
    Layer layer;
    layer.op = given.op;
    layer.kernel = given.kernel;
    layer.slope = given.slope;
    layer.from = given.from;
    layer.factor = given.factor;
    if (given.op == STREAMVSR_TORCH_CONV) {
      layer.weight = tensor(given.weight, {given.out, given.in, given.kernel, given.kernel});
      layer.bias = tensor(given.bias, {given.out});
      widest_ = std::max(widest_, given.out);
    } else if (given.op == STREAMVSR_TORCH_PRELU) {
      layer.weight = tensor(given.weight, {given.out});
    } else if (given.op == STREAMVSR_TORCH_SKIP) {
      if (given.from < 0)
        stack_kept_ = true;
      else
        layers_.at(static_cast<std::size_t>(given.from)).kept = true;
    }
    layers_.push_back(std::move(layer));
  }
}

at::Tensor TorchLayers::stack(const at::Tensor& input) const {
  std::vector<at::Tensor> parts;
  std::int64_t condition = planes_;
  for (const int kind : inputs_) {
    if (kind == STREAMVSR_TORCH_CONDITION) {
      parts.push_back(input.slice(1, condition, condition + 1));
      ++condition;
    } else {
      parts.push_back(input.slice(1, 0, planes_));
    }
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts, 1);
}

at::Tensor TorchLayers::forward(const at::Tensor& input) const {
  at::Tensor value = stack(input);
  const at::Tensor first = stack_kept_ ? value : at::Tensor();
  std::map<int, at::Tensor> kept;
  for (int index = 0; index < static_cast<int>(layers_.size()); ++index) {
    const Layer& layer = layers_[static_cast<std::size_t>(index)];
    switch (layer.op) {
      case STREAMVSR_TORCH_CONV:
        value = at::conv2d(value, layer.weight, layer.bias, 1, layer.kernel / 2);
        break;
      case STREAMVSR_TORCH_RELU:
        value = at::relu(value);
        break;
      case STREAMVSR_TORCH_LEAKY_RELU:
        value = at::leaky_relu(value, layer.slope);
        break;
      case STREAMVSR_TORCH_PRELU:
        value = at::prelu(value, layer.weight);
        break;
      case STREAMVSR_TORCH_SKIP:
        value = value + (layer.from < 0 ? first : kept.at(layer.from));
        break;
      case STREAMVSR_TORCH_SHUFFLE:
        value = at::pixel_shuffle(value, layer.factor);
        break;
      default:
        refuse("layer " + std::to_string(index) + " is of an unknown kind");
    }
    if (layer.kept) kept[index] = value;
  }
  if (!residual_nearest_) return value;
  const at::Tensor frame = input.slice(1, 0, planes_);
  return value + at::upsample_nearest2d(frame, {frame.size(2) * scale_, frame.size(3) * scale_});
}

}  // namespace streamvsr
