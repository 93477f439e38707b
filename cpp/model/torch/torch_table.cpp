// libtorch behind the table of torch_table.h: docs/torch-engine.md. No call names one kind of
// device.
#include "model/torch/torch_table.h"

#include <caffe2/serialize/read_adapter_interface.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "model/torch/torch_failure.h"
#include "model/torch/torch_flow.h"
#include "model/torch/torch_model.h"
#include "model/torch/torch_pictures.h"
#include "model/torch/torch_state.h"

namespace {

using namespace streamvsr;  // NOLINT: this file is streamvsr's, but for its one C name

using Picture = streamvsr_torch_picture;

// ATen gives a convolution of up to 20480 values in one picture to other kernels than larger ones;
// a network's first convolution, which has the fewest, decides. Measured: docs/device-budget.md.
constexpr std::int64_t kAlikeAbove = 20480;

// Reads an archive that lies in someone else's memory.
class MemoryReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MemoryReader(const std::span<const char> bytes) : bytes_(bytes) {}
  std::size_t size() const override { return bytes_.size(); }
  std::size_t read(const std::uint64_t at, void* to, const std::size_t count,
                   const char*) const override {
    if (at >= bytes_.size()) return 0;
    const std::size_t there = std::min(count, bytes_.size() - static_cast<std::size_t>(at));
    std::memcpy(to, bytes_.data() + at, there);
    return there;
  }

 private:
  std::span<const char> bytes_;
};

torch::jit::Module load_module(const streamvsr_torch_request& request, const at::Device& device) {
  if (request.archive == nullptr) return torch::jit::load(request.path, device);
  return torch::jit::load(
      std::make_shared<MemoryReader>(std::span(request.archive, request.archive_bytes)), device);
}

int load(const streamvsr_torch_request* request, TorchNetwork** result,
         streamvsr_torch_info* info) {
  return guarded([&] {
    auto model = std::make_unique<TorchNetwork>();
    model->device = find_device(request->device);
    model->dtype = find_dtype(request->precision, model->device);
    model->threads = request->threads;
    model->account = open_account(model->device, request->limit_bytes);
    const auto counted = model->account->count();
    const Reproducible state(model->threads);
    {
      const at::NoGradGuard no_gradients;
      model->call = request->call;
      model->user = request->user;
      // A function's own weights are in the type its maker gave them.
      if (model->call != nullptr && std::string_view(request->precision) == "auto")
        model->dtype = at::kFloat;
      if (request->layers != nullptr) {
        model->layers =
            std::make_shared<TorchLayers>(*request->layers, model->device, model->dtype);
        model->conditions = model->layers->conditions();
        model->widest = model->layers->widest();
      } else if (model->call == nullptr) {
        model->module = load_module(*request, model->device);
        model->module.eval();
        prepare(*model);
      }
    }
    const c10::InferenceMode inference;
    probe(*model);
    model->account->settle();
    info->planes = model->planes;
    info->scale = model->scale;
    info->conditions = model->conditions;
    info->widest = model->widest;
    info->weights = model->weights;
    info->sample_bytes = static_cast<std::int32_t>(c10::elementSize(model->dtype));
    info->on_cpu = model->device.is_cpu() ? 1 : 0;
    info->alike_above = model->device.is_cpu() && model->dtype == at::kFloat ? kAlikeAbove : 0;
    std::snprintf(info->device, sizeof info->device, "%s", model->device.str().c_str());
    std::snprintf(info->description, sizeof info->description, "%s", describe(*model).c_str());
    *result = model.release();
  });
}

// Everything that is made here is freed when it returns.
void run_batch(TorchNetwork& model, const std::span<const Picture> pictures) {
  at::Tensor output;
  {
    const at::Tensor input = read_pictures(model, pictures);
    output = apply(model, input);
    if (output.size(1) != model.planes || factor(input, output) != model.scale)
      refuse("its factor depends on the picture's size");
  }
  write_pictures(model, std::move(output), pictures);
}

int run(TorchNetwork* model, const Picture* pictures, const std::int32_t count) {
  return guarded([&] {
    const Reproducible state(model->threads);
    const c10::InferenceMode inference;
    const auto counted = model->account->count();
    run_batch(*model, std::span(pictures, static_cast<std::size_t>(count)));
    model->account->settle();
  });
}

int flow(TorchNetwork* model, const streamvsr_torch_flow* request) {
  return guarded([&] {
    const Reproducible state(model->threads);
    const c10::InferenceMode inference;
    const auto counted = model->account->count();
    find_flow(*model, *request);
    model->account->settle();
  });
}

int tiling(TorchNetwork* model, streamvsr_torch_tiling* result) {
  return guarded([&] {
    const Reproducible state(model->threads);
    const c10::InferenceMode inference;
    const auto counted = model->account->count();
    *result = find_tiling(*model);
    model->account->settle();
  });
}

void memory(const TorchNetwork* model, streamvsr_torch_memory* result) {
  guarded([&] {
    const DeviceMemory now = model->account->memory();
    *result = {now.limit, now.reserve, now.held, now.peak};
  });
}

std::uint64_t take_peak(TorchNetwork* model) {
  std::uint64_t peak = 0;
  guarded([&] { peak = model->account->take_peak(); });
  return peak;
}

void fail_allocation(TorchNetwork* model, const std::int64_t nth) {
  guarded([&] { model->account->fail_allocation(nth); });
}

void unload(TorchNetwork* model) {
  guarded([&] { const std::unique_ptr<TorchNetwork> owned(model); });
}

const char* last_error() { return last_failure().c_str(); }

}  // namespace

extern "C" __attribute__((visibility("default"))) const streamvsr_torch* streamvsr_torch_table() {
  static const streamvsr_torch table = {STREAMVSR_TORCH_VERSION,
                                        sizeof(streamvsr_torch),
                                        load,
                                        run,
                                        flow,
                                        flow_bytes,
                                        tiling,
                                        memory,
                                        take_peak,
                                        fail_allocation,
                                        unload,
                                        last_error};
  return &table;
}
