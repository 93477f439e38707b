#include "model/torch/torch_model.h"

#include <ATen/DLConvertor.h>
#include <ATen/DeviceAccelerator.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <algorithm>
#include <array>

#include "model/torch/torch_failure.h"

namespace streamvsr {

namespace {

constexpr int kMostScale = 16;

const char* dtype_name(const at::ScalarType dtype) {
  return dtype == at::kHalf ? "fp16" : dtype == at::kBFloat16 ? "bf16" : "fp32";
}

// libtorch's version as it runs, which need not be the one this file was built with.
std::string version() {
  const std::string config = at::show_config();
  constexpr char kKey[] = "TORCH_VERSION=";
  const std::size_t at = config.find(kKey);
  if (at == std::string::npos) return TORCH_VERSION;
  const std::size_t begin = at + sizeof kKey - 1;
  return config.substr(begin, config.find_first_of(", \n", begin) - begin);
}

at::Tensor forward(TorchNetwork& model, const at::Tensor& input) {
  const torch::jit::IValue result = model.module.forward({input});
  if (!result.isTensor()) refuse("it gives a " + result.tagKind() + ", not one tensor");
  return result.toTensor();
}

at::Tensor call(const TorchNetwork& model, const at::Tensor& input) {
  std::array<char, 1024> why{};
  void* output = nullptr;
  if (model.call(model.user, at::toDLPack(input), &output, why.data(), why.size()) != 0)
    refuse(why.data());
  at::Tensor result = at::fromDLPack(static_cast<DLManagedTensor*>(output));
  if (result.device() != model.device)
    refuse("it was given a tensor on " + model.device.str() + " and gives one on " +
           result.device().str());
  return result;
}

}  // namespace

at::Device find_device(const std::string& name) {
  const auto accelerator = at::getAccelerator(false);
  const int count = accelerator ? at::accelerator::deviceCount() : 0;
  if (name == "auto") return count > 0 ? at::Device(*accelerator, 0) : at::Device(at::kCPU);
  at::Device device(name);
  if (device.is_cpu()) return device;
  if (count == 0 || *accelerator != device.type() || device.index() >= count)
    throw Refusal(STREAMVSR_TORCH_NO_DEVICE, "torch sees no such device on this machine");
  return device.has_index() ? device : at::Device(device.type(), 0);
}

at::ScalarType find_dtype(const std::string& name, const at::Device& device) {
  if (name == "bf16") return at::kBFloat16;
  if (name == "fp16" || (name == "auto" && !device.is_cpu())) return at::kHalf;
  return at::kFloat;
}

void prepare(TorchNetwork& model) {
  std::int64_t widest = 1;
  const auto convert = [&](const at::Tensor& tensor) {
    if (!tensor.is_floating_point()) return;
    at::Tensor data = tensor.detach().to(model.dtype);
    if (data.dim() == 4) {
      widest = std::max(widest, data.size(0));
      data = data.contiguous(at::MemoryFormat::ChannelsLast);
    }
    tensor.set_data(data);
  };
  for (const at::Tensor& tensor : model.module.parameters()) {
    convert(tensor);
    model.weights += tensor.numel();
  }
  for (const at::Tensor& tensor : model.module.buffers()) convert(tensor);
  model.widest = static_cast<int>(std::min<std::int64_t>(widest, 1 << 20));
}

at::Tensor apply(TorchNetwork& model, const at::Tensor& input) {
  const at::Tensor given = input.to(model.dtype);
  const at::Tensor output = model.layers            ? model.layers->forward(given)
                            : model.call != nullptr ? call(model, given)
                                                    : forward(model, given);
  if (output.dim() != 4 || output.size(0) != input.size(0) || !output.is_floating_point())
    refuse("it gives a tensor of " + std::to_string(output.dim()) + " dimensions and type " +
           std::string(at::toString(output.scalar_type())) +
           ", not pictures (n, planes, height, width) of floating-point numbers");
  return output;
}

at::Tensor test_picture(const TorchNetwork& model, const int channels, const int width,
                        const int height) {
  at::Tensor picture = at::empty({1, channels, height, width}, at::kFloat);
  unsigned state = 1;  // the same noise every time
  for (float* at = picture.data_ptr<float>(); at != picture.data_ptr<float>() + picture.numel();
       ++at) {
    state = state * 1664525U + 1013904223U;
    *at = static_cast<float>(state >> 8) / static_cast<float>(1U << 24);
  }
  return picture.to(model.device).contiguous(at::MemoryFormat::ChannelsLast);
}

int factor(const at::Tensor& input, const at::Tensor& output) {
  const std::int64_t scale = output.size(3) / input.size(3);
  if (scale < 1 || output.size(3) != input.size(3) * scale ||
      output.size(2) != input.size(2) * scale)
    refuse("it turns " + std::to_string(input.size(3)) + "x" + std::to_string(input.size(2)) +
           " into " + std::to_string(output.size(3)) + "x" + std::to_string(output.size(2)) +
           ", which is no whole multiple");
  if (scale > kMostScale)
    refuse("it enlarges by " + std::to_string(scale) + ", more than " + std::to_string(kMostScale));
  return static_cast<int>(scale);
}

// What the network takes and gives is learned by trying. A network for red, green and blue may well
// accept one plane, which its first subtraction of three means spreads: as many must come out.
void probe(TorchNetwork& model) {
  std::string reason;
  for (const int planes : {1, 3}) {
    if (model.layers && planes != model.layers->planes()) continue;
    const int channels = planes + model.conditions;
    at::Tensor input = test_picture(model, channels, 16, 16);
    at::Tensor output;
    if (const int status = guarded([&] { output = apply(model, input); })) {
      if (status == STREAMVSR_TORCH_MEMORY) throw Refusal(status, last_failure());
      if (reason.empty()) reason = last_failure();
      continue;
    }
    if (output.size(1) != planes) {
      if (reason.empty())
        reason = "it turns " + std::to_string(planes) + " plane(s) into " +
                 std::to_string(output.size(1));
      continue;
    }
    model.planes = planes;
    model.scale = factor(input, output);
    input = test_picture(model, channels, 24, 20);
    output = apply(model, input);
    if (output.size(1) != planes || factor(input, output) != model.scale)
      refuse("its factor depends on the picture's size");
    if (!output.isfinite().all().item<bool>())
      refuse(std::string("in ") + dtype_name(model.dtype) + " it gives values that are not finite");
    return;
  }
  refuse(
      "it takes neither 1 plane (luma) nor 3 (red, green, blue) as (1, planes, height, width): " +
      reason);
}

// On the CPU libtorch chooses between ways to convolve by the instruction set and the number of
// threads, and they round differently: both are part of what a result depends on.
std::string describe(const TorchNetwork& model) {
  std::string text = "torch " + version() + ", " + model.device.str() + " ";
  if (model.device.is_cpu()) text += at::get_cpu_capability() + " ";
  text += dtype_name(model.dtype);
  if (model.device.is_cpu())
    text += ", " + std::to_string(model.threads) + (model.threads == 1 ? " thread" : " threads");
  return text;
}

}  // namespace streamvsr
