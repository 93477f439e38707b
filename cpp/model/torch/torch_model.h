// An archive on its device: what torch_table.cpp offers, in C++.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "model/torch/torch_layers.h"
#include "model/torch/torch_table.h"
#include "tensor/torch/account.h"

namespace streamvsr {

// A picture's brightness on the device, levels as given, borders included.
struct GrayOnDevice {
  std::uint64_t number = 0;
  std::vector<at::Tensor> levels;
};

}  // namespace streamvsr

// Purpose: one network on one device. Thread-safety: used by one thread, but account->memory().
// Ownership: owns weights and code; pictures stay the caller's.
struct streamvsr_torch_model {
  torch::jit::Module module;
  streamvsr_torch_call call = nullptr;  // instead of the module
  void* user = nullptr;
  std::shared_ptr<const streamvsr::TorchLayers> layers;  // instead of both
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  int threads = 1;
  int planes = 0;
  int conditions = 0;  // channels behind the planes
  int scale = 0;
  int widest = 1;
  std::int64_t weights = 0;  // of the module's parameters
  std::shared_ptr<streamvsr::Account> account;
  std::list<streamvsr::GrayOnDevice> seen;  // at most two: see torch_flow.h
};

namespace streamvsr {

using TorchNetwork = streamvsr_torch_model;

at::Device find_device(const std::string& name);
at::ScalarType find_dtype(const std::string& name, const at::Device& device);
// Weights into the type of the activations, convolutions' as channels_last. Whole numbers, such as
// tables of indices, stay what they are.
void prepare(TorchNetwork& model);
// (n, planes + conditions, height, width) in, values 0..1, to what the network makes of it, in its
// own type.
at::Tensor apply(TorchNetwork& model, const at::Tensor& input);
// Noise, the same every time, on the device.
at::Tensor test_picture(const TorchNetwork& model, int channels, int width, int height);
// The factor between two pictures; refuses where there is no whole one.
int factor(const at::Tensor& input, const at::Tensor& output);
// Learns planes and scale by trying; refuses what is no network for pictures.
void probe(TorchNetwork& model);
std::string describe(const TorchNetwork& model);
// See streamvsr_torch_tiling; refuses where the network cannot be run on pieces.
streamvsr_torch_tiling find_tiling(TorchNetwork& model);

}  // namespace streamvsr
