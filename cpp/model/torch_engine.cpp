#include "model/torch_engine.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <optional>
#include <utility>

#include "base/error.h"
#include "model/torch/torch_table.h"

namespace streamvsr {

namespace {

// Luma samples across, or down, that share one of chroma, at most; and how far chroma's filter
// (spline36) looks, in chroma samples.
constexpr int kMostCell = 4;
constexpr int kChromaReach = 3;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

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

void check_there(const std::string& path) {
  errno = 0;
  const std::ifstream file(path);
  if (file) return;
  const int code = errno;
  if (code == ENOENT)
    throw Error(ErrorKind::kNotFound, "there is no network file '" + path + "'", path, code);
  throw_errno(code != 0 ? code : EIO, "open network file", path);
}

// Tells contents apart: FNV-1a.
class ContentMark {
 public:
  void add(const std::string_view bytes) {
    for (const char byte : bytes)
      mark_ = (mark_ ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  }
  std::string text() const { return std::to_string(mark_); }

 private:
  std::uint64_t mark_ = 14695981039346656037U;
};

std::string content_mark(const std::string_view bytes) {
  ContentMark mark;
  mark.add(bytes);
  return mark.text();
}

std::string content_mark_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  ContentMark mark;
  std::array<char, 1 << 16> block;
  while (file) {
    file.read(block.data(), block.size());
    mark.add({block.data(), static_cast<std::size_t>(file.gcount())});
  }
  return mark.text();
}

}  // namespace

bool is_torch_archive(const std::string& path) {
  return ends_with(path, ".pt") || ends_with(path, ".ts");
}

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

// Purpose: RAII of one loaded archive. Thread-safety: made, used and destroyed by one thread.
class TorchModel {
 public:
  TorchModel(const streamvsr_torch& table, const TorchOptions& options)
      : table_(table), path_(options.archive_path), user_(options.function.user) {}
  ~TorchModel() {
    if (model_ != nullptr) table_.unload(model_);
  }
  TorchModel(const TorchModel&) = delete;
  TorchModel& operator=(const TorchModel&) = delete;

  // True, or false with failure() saying why.
  bool load(const std::string& device, const char* precision, const TorchOptions& options) {
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
    status_ = table_.load(&request, &model_, &info_);
    failure_ = status_ == STREAMVSR_TORCH_OK ? "" : table_.last_error();
    return status_ == STREAMVSR_TORCH_OK;
  }
  bool device_is_missing() const { return status_ == STREAMVSR_TORCH_NO_DEVICE; }
  const std::string& failure() const { return failure_; }
  const streamvsr_torch_info& info() const { return info_; }

  void run(const std::span<const PiecePicture> pieces) {
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
    status_ = table_.run(model_, all.data(), static_cast<std::int32_t>(all.size()));
    if (status_ == STREAMVSR_TORCH_OK) return;
    failure_ = table_.last_error();
    throw_failure("network '" + path_ + "' failed on a picture of " +
                  std::to_string(pieces.front().width) + "x" +
                  std::to_string(pieces.front().height));
  }
  CutRules cut_rules() {
    streamvsr_torch_tiling found{};
    status_ = table_.tiling(model_, &found);
    if (status_ == STREAMVSR_TORCH_OK) return {found.halo, found.align, ""};
    failure_ = table_.last_error();
    if (status_ == STREAMVSR_TORCH_MEMORY) throw_failure("network '" + path_ + "' cannot be tried");
    return {0, 1, failure_};
  }
  DeviceMemory memory() const {
    streamvsr_torch_memory now{};
    table_.memory(model_, &now);
    return {now.limit, now.reserve, now.held, now.peak};
  }
  std::size_t take_peak() { return table_.take_peak(model_); }
  void fail_allocation(const std::int64_t nth) { table_.fail_allocation(model_, nth); }
  [[noreturn]] void throw_failure(const std::string& what) const {
    const bool memory = status_ == STREAMVSR_TORCH_MEMORY;
    throw Error(memory ? ErrorKind::kMemory : ErrorKind::kModel, what + ": " + failure_, path_);
  }

 private:
  const streamvsr_torch& table_;
  std::string path_;
  std::shared_ptr<void> user_;
  streamvsr_torch_model* model_ = nullptr;
  streamvsr_torch_info info_{};
  int status_ = STREAMVSR_TORCH_OK;
  std::string failure_;
};

namespace {

// The archive on the device that was asked for, there in half precision if it can be; else on the
// CPU with a warning.
std::unique_ptr<TorchModel> load(const TorchOptions& options, std::vector<std::string>& warnings) {
  auto model = std::make_unique<TorchModel>(open_table(options.library_path), options);
  const char* const precision = precision_name(options.precision);
  if (model->load(options.device, precision, options)) return model;
  if (options.device != "cpu") {
    const std::string why = model->failure();
    if (!model->device_is_missing() && options.precision == Precision::kAuto &&
        model->load(options.device, "fp32", options))
      return model;
    const std::string asked = options.device == "auto" ? "the accelerator" : options.device;
    warnings.push_back("network '" + options.archive_path + "' runs on the CPU, not on " + asked +
                       ": " + why);
    if (model->load("cpu", precision, options)) return model;
  }
  model->throw_failure(options.function.call != nullptr || options.network || options.archive
                           ? "cannot use the network '" + options.archive_path + "'"
                           : "cannot use network file '" + options.archive_path +
                                 "' as a TorchScript archive, which "
                                 "torch.jit.script(network).save() makes");
}

}  // namespace

TorchEngine::TorchEngine(const TorchOptions& options)
    : torch_thread_((check_threads(options.threads), 1)),
      beside_(options.threads),
      colors_(options.colors) {
  if (options.function.call != nullptr) {
    fingerprint_ = "function " + options.archive_path;
  } else if (options.network) {
    fingerprint_ = "layers of " + options.archive_path;
    if (!options.archive_path.empty())
      fingerprint_ += " " + content_mark_of_file(options.archive_path);
  } else if (options.archive) {
    fingerprint_ = content_mark(*options.archive);
  } else {
    check_there(options.archive_path);
    fingerprint_ = content_mark_of_file(options.archive_path);
  }
  on_torch_thread([&] { model_ = load(options, warnings_); });
}

TorchEngine::~TorchEngine() {
  on_torch_thread([this] { model_.reset(); });
}

void TorchEngine::on_torch_thread(const std::function<void()>& call) {
  const Task task = [&call](int) { call(); };
  torch_thread_.run(std::span(&task, 1));
}

int TorchEngine::scale() const { return model_->info().scale; }
int TorchEngine::condition_count() const { return model_->info().conditions; }
int TorchEngine::planes() const { return model_->info().planes; }
bool TorchEngine::recolours() const {
  return planes() == 3 && (colors_ == Colors::kTensor || (colors_ == Colors::kAuto && !on_cpu()));
}
std::string TorchEngine::describe() const {
  return std::string(model_->info().description) + (recolours() ? ", colors by tensors" : "");
}
std::string TorchEngine::device() const { return model_->info().device; }
bool TorchEngine::on_cpu() const { return model_->info().on_cpu != 0; }
DeviceMemory TorchEngine::memory() const { return model_->memory(); }
std::string TorchEngine::fingerprint() const { return fingerprint_; }

std::optional<std::int64_t> TorchEngine::alike_above() const {
  const std::int64_t samples = model_->info().alike_above;
  return samples > 0 ? std::optional(samples) : std::nullopt;
}

void TorchEngine::run(const std::span<const Picture> pictures, const StopFlag& stop,
                      const std::span<const Task> beside) {
  for (const Picture& picture : pictures) check_picture(*this, picture);
  for (const Picture& picture : pictures) {
    stop.check();
    PiecePicture whole;
    static_cast<Picture&>(whole) = picture;
    run_pieces(std::span(&whole, 1));
  }
  beside_.run(beside);
}

void TorchEngine::run_pieces(const std::span<const PiecePicture> pieces) {
  on_torch_thread([&] { model_->run(pieces); });
}

CutRules TorchEngine::cut_rules() {
  CutRules rules;
  on_torch_thread([&] { rules = model_->cut_rules(); });
  if (recolours() && rules.why_not.empty()) {
    // A chroma sample of the result is made of the network's around it; none lies in two pieces.
    rules.align = std::max(rules.align, kMostCell);
    const int reach = (kMostCell * kChromaReach + scale() - 1) / scale();
    rules.halo = (rules.halo + reach + rules.align - 1) / rules.align * rules.align;
  }
  return rules;
}

std::size_t TorchEngine::take_peak() {
  std::size_t peak = 0;
  on_torch_thread([&] { peak = model_->take_peak(); });
  return peak;
}

void TorchEngine::fail_allocation(const std::int64_t nth) {
  on_torch_thread([&] { model_->fail_allocation(nth); });
}

std::size_t TorchEngine::workspace_bytes(const int width, const int height) const {
  const streamvsr_torch_info& info = model_->info();
  const std::size_t samples = static_cast<std::size_t>(width) * height;
  const std::size_t activations = 2 * samples * info.widest * info.sample_bytes;
  const std::size_t pictures = samples * info.planes * (1 + info.scale * info.scale);
  const std::size_t colors = recolours() ? pictures * sizeof(float) : 0;
  return activations + colors + pictures * (sizeof(float) + info.sample_bytes);
}

}  // namespace streamvsr
