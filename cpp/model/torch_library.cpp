#include "model/torch_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error.h"
#include "model/network.h"

namespace streamvsr {

namespace {

// Purpose: a layer list as the table takes it. Ownership: points into the network's weights.
class LayerTable {
 public:
  explicit LayerTable(const Network& network) {
    int channels = network.input_channels();
    for (const Layer& layer : network.layers) {
      streamvsr_torch_layer to{};
      to.op = op_of(layer.op);
      to.in = channels;
      to.out = layer.op == LayerOp::kPrelu ? channels : layer.channels;
      to.kernel = layer.op == LayerOp::kConv3x3 ? 3 : 1;
      to.weight = layer.weight.values.data();
      to.bias = layer.bias.values.data();
      to.slope = layer.slope;
      to.from = layer.from;
      to.factor = layer.factor;
      layers_.push_back(to);
      channels = layer.channels;
    }
    for (const InputKind kind : network.inputs)
      inputs_.push_back(kind == InputKind::kFrame ? STREAMVSR_TORCH_FRAME
                                                  : STREAMVSR_TORCH_CONDITION);
    table_.layers = layers_.data();
    table_.count = static_cast<std::int32_t>(layers_.size());
    table_.inputs = inputs_.data();
    table_.input_count = static_cast<std::int32_t>(inputs_.size());
    table_.planes = network.planes;
    table_.scale = network.scale;
    table_.residual_nearest = network.residual_nearest ? 1 : 0;
  }
  const streamvsr_torch_layers& table() const { return table_; }

 private:
  static std::int32_t op_of(const LayerOp op) {
    switch (op) {
      case LayerOp::kConv3x3:
      case LayerOp::kConv1x1:
        return STREAMVSR_TORCH_CONV;
      case LayerOp::kRelu:
        return STREAMVSR_TORCH_RELU;
      case LayerOp::kLeakyRelu:
        return STREAMVSR_TORCH_LEAKY_RELU;
      case LayerOp::kPrelu:
        return STREAMVSR_TORCH_PRELU;
      case LayerOp::kSkip:
        return STREAMVSR_TORCH_SKIP;
      default:
        return STREAMVSR_TORCH_SHUFFLE;
    }
  }

  std::vector<streamvsr_torch_layer> layers_;
  std::vector<std::int32_t> inputs_;
  streamvsr_torch_layers table_{};
};

streamvsr_torch_line line_of(const LineSums& sums) {
  return {sums.size, sums.taps, sums.index.data(), sums.weight.data()};
}

// Points into `colors`.
streamvsr_torch_colors colors_of(const LumaChroma& colors) {
  streamvsr_torch_colors to{};
  to.depth = colors.depth;
  to.planes = colors.planes;
  to.cell_width = colors.cell_width;
  to.cell_height = colors.cell_height;
  for (std::size_t row = 0; row < colors.matrix.size(); ++row)
    std::copy(colors.matrix[row].begin(), colors.matrix[row].end(), to.matrix[row]);
  to.across = line_of(colors.across);
  to.down = line_of(colors.down);
  return to;
}

}  // namespace

const streamvsr_torch& open_table(const std::string& library_path) {
  const auto refuse = [](const std::string& why) {
    throw Error(ErrorKind::kConfig, "TorchScript networks need torch: " + why +
                                        "; install torch, or choose a "
                                        ".safetensors network");
  };
  if (library_path.empty()) refuse("it is not installed, or streamvsr was built without it");
  // NODELETE, and never closed: libtorch keeps threads and objects of its own.
  void* const library = dlopen(library_path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    const char* const text = dlerror();
    refuse(text != nullptr ? text : "cannot open '" + library_path + "'");
  }
  const auto entry =
      reinterpret_cast<streamvsr_torch_table_fn>(dlsym(library, STREAMVSR_TORCH_SYMBOL));
  const streamvsr_torch* const table = entry != nullptr ? entry() : nullptr;
  if (table == nullptr || table->version != STREAMVSR_TORCH_VERSION ||
      table->bytes != sizeof(streamvsr_torch))
    refuse("'" + library_path + "' is not of this version");
  return *table;
}

TorchModel::TorchModel(const streamvsr_torch& table, const TorchOptions& options)
    : table_(table), path_(options.archive_path), user_(options.function.user) {}

TorchModel::~TorchModel() {
  if (model_ != nullptr) table_.unload(model_);
}

bool TorchModel::succeeded(const int status) {
  status_ = status;
  failure_ = status == STREAMVSR_TORCH_OK ? "" : table_.last_error();
  return status == STREAMVSR_TORCH_OK;
}

void TorchModel::throw_failure(const std::string& what) const {
  const bool memory = status_ == STREAMVSR_TORCH_MEMORY;
  throw Error(memory ? ErrorKind::kMemory : ErrorKind::kModel, what + ": " + failure_, path_);
}

bool TorchModel::load(const std::string& device, const char* const precision,
                      const TorchOptions& options) {
  const std::optional<LayerTable> layers =
      options.network ? std::optional<LayerTable>(*options.network) : std::nullopt;
  streamvsr_torch_request request{};
  request.call = options.function.call;
  request.user = user_.get();
  request.layers = layers ? &layers->table() : nullptr;
  request.archive = options.archive ? options.archive->data() : nullptr;
  request.archive_bytes = options.archive ? options.archive->size() : 0;
  request.path = path_.c_str();
  request.device = device.c_str();
  request.precision = precision;
  request.threads = options.threads;
  request.limit_bytes = options.memory_limit;
  return succeeded(table_.load(&request, &model_, &info_));
}

void TorchModel::run(const std::span<const PiecePicture> pieces) {
  std::vector<streamvsr_torch_picture> all;
  all.reserve(pieces.size());
  std::vector<streamvsr_torch_colors> colors;
  colors.reserve(2 * pieces.size());
  const auto pointer = [&](const LumaChroma* const of) {
    return of == nullptr ? nullptr : &colors.emplace_back(colors_of(*of));
  };
  for (const PiecePicture& piece : pieces) {
    streamvsr_torch_picture p{};
    p.width = piece.width;
    p.height = piece.height;
    p.x = piece.x;
    p.y = piece.y;
    p.depth = piece.depth;
    for (std::size_t i = 0; i < piece.source.size(); ++i) {
      p.source[i] = piece.source[i].data;
      p.source_stride[i] = piece.source[i].stride;
    }
    for (std::size_t i = 0; i < piece.result.size(); ++i) {
      p.result[i] = piece.result[i].data;
      p.result_stride[i] = piece.result[i].stride;
    }
    p.source_colors = pointer(piece.source_colors);
    p.result_colors = pointer(piece.result_colors);
    p.conditions = piece.conditions.data();
    p.left = piece.left;
    p.top = piece.top;
    p.right = piece.right;
    p.bottom = piece.bottom;
    all.push_back(p);
  }
  if (!succeeded(table_.run(model_, all.data(), static_cast<std::int32_t>(all.size()))))
    throw_failure("network '" + path_ + "' failed on a picture of " +
                  std::to_string(pieces.front().width) + "x" +
                  std::to_string(pieces.front().height));
}

void TorchModel::find_flow(const streamvsr_torch_flow& flow) {
  if (succeeded(table_.flow(model_, &flow))) return;
  const streamvsr_torch_gray& picture = flow.now.levels[0];
  throw_failure("the motion between pictures of " + std::to_string(picture.width) + "x" +
                std::to_string(picture.height) + " could not be found on " + info_.device);
}

CutRules TorchModel::cut_rules() {
  streamvsr_torch_tiling found{};
  if (succeeded(table_.tiling(model_, &found))) return {found.halo, found.align, ""};
  if (status_ == STREAMVSR_TORCH_MEMORY) throw_failure("network '" + path_ + "' cannot be tried");
  return {0, 1, failure_};
}

DeviceMemory TorchModel::memory() const {
  streamvsr_torch_memory now{};
  table_.memory(model_, &now);
  return {now.limit, now.reserve, now.held, now.peak};
}

}  // namespace streamvsr
