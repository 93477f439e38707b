// libtorch behind the table of torch_table.h: docs/torch-engine.md. Nothing of streamvsr is used
// here but the table, and no call names one kind of device.
#include "model/torch/torch_table.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// Purpose: one archive on one device. Thread-safety: used by one thread. Ownership: owns weights
// and code; pictures stay the caller's.
struct streamvsr_torch_model {
  torch::jit::Module module;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  int threads = 1;
  int planes = 0;
  int scale = 0;
};

namespace {

using Model = streamvsr_torch_model;

constexpr int kMostScale = 16;

thread_local std::string last_failure;  // NOLINT: the C boundary hands out its text

// A failure that is ours to name.
struct Refusal : std::runtime_error {
  Refusal(const int code, const std::string& what) : std::runtime_error(what), status(code) {}
  int status;
};

[[noreturn]] void refuse(const std::string& what) { throw Refusal(STREAMVSR_TORCH_FAILED, what); }

// The line that says what went wrong. The interpreter of TorchScript puts it last, behind a
// traceback; everything else puts it first.
std::string one_line(const std::string& text) {
  std::string first;
  std::string named;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (first.empty()) first = line;
    const std::size_t colon = line.find("Error: ");
    if (colon != std::string::npos && line.find(' ') == colon + 6) named = line.substr(colon + 7);
    at = end + 1;
  }
  const bool interpreted = first.find("TorchScript interpreter") != std::string::npos;
  return interpreted && !named.empty() ? named : first;
}

// The interpreter rethrows failures as text alone.
bool tells_of_memory(const std::string& text) {
  return text.find("out of memory") != std::string::npos ||
         text.find("can't allocate memory") != std::string::npos;
}

int failed(const int status, const char* text) noexcept {
  try {
    last_failure = one_line(text);
    return status == STREAMVSR_TORCH_FAILED && tells_of_memory(text) ? STREAMVSR_TORCH_MEMORY
                                                                     : status;
  } catch (...) {
    last_failure.clear();
  }
  return status;
}

template <class Call>
int guarded(const Call call) noexcept {
  try {
    call();
    return STREAMVSR_TORCH_OK;
  } catch (const Refusal& failure) {
    return failed(failure.status, failure.what());
  } catch (const c10::OutOfMemoryError& failure) {
    return failed(STREAMVSR_TORCH_MEMORY, failure.what_without_backtrace());
  } catch (const c10::Error& failure) {
    return failed(STREAMVSR_TORCH_FAILED, failure.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return failed(STREAMVSR_TORCH_MEMORY, "out of memory");
  } catch (const std::exception& failure) {
    return failed(STREAMVSR_TORCH_FAILED, failure.what());
  } catch (...) {
    return failed(STREAMVSR_TORCH_FAILED, "an exception of an unknown kind");
  }
}

// Purpose: cuDNN neither measures nor uses algorithms that add up by chance, from the first of the
// calls that are under way to the last. Thread-safety: any thread; the choices are the process's.
class FixedCudnn {
 public:
  FixedCudnn() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (users_++ > 0) return;
    benchmark_ = at::globalContext().benchmarkCuDNN();
    deterministic_ = at::globalContext().deterministicCuDNN();
    at::globalContext().setBenchmarkCuDNN(false);
    at::globalContext().setDeterministicCuDNN(true);
  }
  ~FixedCudnn() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--users_ > 0) return;
    at::globalContext().setBenchmarkCuDNN(benchmark_);
    at::globalContext().setDeterministicCuDNN(deterministic_);
  }
  FixedCudnn(const FixedCudnn&) = delete;
  FixedCudnn& operator=(const FixedCudnn&) = delete;

 private:
  static inline std::mutex mutex_;
  static inline int users_ = 0;               // guarded by mutex_, and so the next two
  static inline bool benchmark_ = false;      // as the process had it
  static inline bool deterministic_ = false;  // as the process had it
};

// Purpose: the state of libtorch under which a picture's result depends on the picture alone; what
// the process had set comes back at the end. Thread-safety: one object a thread. libtorch keeps the
// number of threads for each thread, and takes the last one set for threads that are new to it.
class Reproducible {
 public:
  explicit Reproducible(const int threads) : threads_(at::get_num_threads()) {
    if (threads != threads_) at::set_num_threads(threads);
  }
  ~Reproducible() {
    try {
      if (at::get_num_threads() != threads_) at::set_num_threads(threads_);
    } catch (...) {  // NOLINT: it took the number before
    }
  }
  Reproducible(const Reproducible&) = delete;
  Reproducible& operator=(const Reproducible&) = delete;

 private:
  int threads_;
  FixedCudnn fixed_cudnn_;
  at::NoTF32Guard no_tf32_;  // fp32 means fp32
  // The optimiser watches the first pictures and compiles for the later ones: these would be
  // rounded otherwise than the first, and a resumed job otherwise than an uninterrupted one.
  torch::jit::GraphOptimizerEnabledGuard no_optimiser_{false};
};

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

const char* dtype_name(const at::ScalarType dtype) {
  return dtype == at::kHalf ? "fp16" : dtype == at::kBFloat16 ? "bf16" : "fp32";
}

// Weights into the type of the activations, convolutions' as channels_last. Whole numbers, such as
// tables of indices, stay what they are.
int prepare(const Model& model) {
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
  for (const at::Tensor& tensor : model.module.parameters()) convert(tensor);
  for (const at::Tensor& tensor : model.module.buffers()) convert(tensor);
  return static_cast<int>(std::min<std::int64_t>(widest, 1 << 20));
}

// (1, planes, height, width) in, values 0..1, to what the network makes of it, in its own type.
at::Tensor apply(Model& model, const at::Tensor& input) {
  const torch::jit::IValue result = model.module.forward({input.to(model.dtype)});
  if (!result.isTensor()) refuse("it gives a " + result.tagKind() + ", not one tensor");
  const at::Tensor& output = result.toTensor();
  if (output.dim() != 4 || output.size(0) != 1 || !output.is_floating_point())
    refuse("it gives a tensor of " + std::to_string(output.dim()) + " dimensions and type " +
           std::string(at::toString(output.scalar_type())) +
           ", not pictures (1, planes, height, width) of floating-point numbers");
  return output;
}

at::Tensor test_picture(const Model& model, const int planes, const int width, const int height) {
  at::Tensor picture = at::empty({1, planes, height, width}, at::kFloat);
  unsigned state = 1;  // the same noise every time
  for (float* at = picture.data_ptr<float>(); at != picture.data_ptr<float>() + picture.numel();
       ++at) {
    state = state * 1664525U + 1013904223U;
    *at = static_cast<float>(state >> 8) / static_cast<float>(1U << 24);
  }
  return picture.to(model.device).contiguous(at::MemoryFormat::ChannelsLast);
}

// The factor between two pictures; refuses where there is no whole one.
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
void probe(Model& model) {
  std::string reason;
  for (const int planes : {1, 3}) {
    at::Tensor input = test_picture(model, planes, 16, 16);
    at::Tensor output;
    if (const int status = guarded([&] { output = apply(model, input); })) {
      if (status == STREAMVSR_TORCH_MEMORY) throw Refusal(status, last_failure);
      if (reason.empty()) reason = last_failure;
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
    input = test_picture(model, planes, 24, 20);
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

// libtorch's version as it runs, which need not be the one this file was built with.
std::string version() {
  const std::string config = at::show_config();
  constexpr char kKey[] = "TORCH_VERSION=";
  const std::size_t at = config.find(kKey);
  if (at == std::string::npos) return TORCH_VERSION;
  const std::size_t begin = at + sizeof kKey - 1;
  return config.substr(begin, config.find_first_of(", \n", begin) - begin);
}

// On the CPU libtorch chooses between ways to convolve by the instruction set and the number of
// threads, and they round differently: both are part of what a result depends on.
std::string describe(const Model& model) {
  std::string text = "torch " + version() + ", " + model.device.str() + " ";
  if (model.device.is_cpu()) text += at::get_cpu_capability() + " ";
  text += dtype_name(model.dtype);
  if (model.device.is_cpu())
    text += ", " + std::to_string(model.threads) + (model.threads == 1 ? " thread" : " threads");
  return text;
}

int load(const streamvsr_torch_request* request, Model** result, streamvsr_torch_info* info) {
  return guarded([&] {
    auto model = std::make_unique<Model>();
    model->device = find_device(request->device);
    model->dtype = find_dtype(request->precision, model->device);
    model->threads = request->threads;
    const Reproducible state(model->threads);
    {
      const at::NoGradGuard no_gradients;
      model->module = torch::jit::load(request->path, model->device);
      model->module.eval();
      info->widest = prepare(*model);
    }
    const c10::InferenceMode inference;
    probe(*model);
    info->planes = model->planes;
    info->scale = model->scale;
    info->sample_bytes = static_cast<std::int32_t>(c10::elementSize(model->dtype));
    std::snprintf(info->description, sizeof info->description, "%s", describe(*model).c_str());
    *result = model.release();
  });
}

at::ScalarType code_type(const streamvsr_torch_picture& picture) {
  return picture.depth > 8 ? at::kUInt16 : at::kByte;
}

// A plane of the caller's as a tensor.
at::Tensor view(std::uint8_t* data, const std::int64_t stride, const std::int64_t width,
                const std::int64_t height, const at::ScalarType type) {
  const auto bytes = static_cast<std::int64_t>(c10::elementSize(type));
  return at::from_blob(data, {height, width}, {stride / bytes, 1}, at::TensorOptions(type));
}

int run(Model* model, const streamvsr_torch_picture* picture) {
  return guarded([&] {
    const Reproducible state(model->threads);
    const c10::InferenceMode inference;
    const auto most = static_cast<double>((1 << picture->depth) - 1);
    const at::ScalarType type = code_type(*picture);
    at::Tensor input = at::empty({1, model->planes, picture->height, picture->width},
                                 at::TensorOptions(at::kFloat).device(model->device),
                                 at::MemoryFormat::ChannelsLast);
    for (int p = 0; p < model->planes; ++p) {
      const at::Tensor codes =
          view(const_cast<std::uint8_t*>(picture->source[p]), picture->source_stride[p],
               picture->width, picture->height, type);
      input[0][p].copy_(codes.to(model->device));
    }
    input.div_(most);
    const at::Tensor output = apply(*model, input);
    if (output.size(1) != model->planes || factor(input, output) != model->scale)
      refuse("its factor depends on the picture's size");
    at::Tensor codes = output.to(at::kFloat).clamp(0, 1);
    codes.nan_to_num_(0).mul_(most).round_();
    for (int p = 0; p < model->planes; ++p) {
      view(picture->result[p], picture->result_stride[p], output.size(3), output.size(2), type)
          .copy_(codes[0][p]);
    }
  });
}

void unload(Model* model) {
  guarded([&] { delete model; });
}

const char* last_error() { return last_failure.c_str(); }

}  // namespace

extern "C" __attribute__((visibility("default"))) const streamvsr_torch* streamvsr_torch_table() {
  static const streamvsr_torch table = {
      STREAMVSR_TORCH_VERSION, sizeof(streamvsr_torch), load, run, unload, last_error};
  return &table;
}
