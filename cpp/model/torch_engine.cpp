#include "model/torch_engine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "model/torch_library.h"

namespace streamvsr {

namespace {

// Luma samples across, or down, that share one of chroma, at most; and how far chroma's filter
// (spline36) looks, in chroma samples.
constexpr int kMostCell = 4;
constexpr int kChromaReach = 3;

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
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
      colors_(options.colors),
      flow_by_(options.flow_by) {
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
  if (options.network) flop_per_pixel_ = options.network->flops_per_pixel();
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
double TorchEngine::flop_per_pixel() const {
  if (flop_per_pixel_ > 0.0) return flop_per_pixel_;
  const std::int64_t weights = model_->info().weights;
  return weights > 0 ? 2.0 * static_cast<double>(weights) : kAssumedFlop;
}
bool TorchEngine::recolours() const {
  return planes() == 3 && (colors_ == Colors::kTensor || (colors_ == Colors::kAuto && !on_cpu()));
}
bool TorchEngine::finds_flow() const {
  return flow_by_ == FlowBy::kTensor || (flow_by_ == FlowBy::kAuto && !on_cpu());
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

void TorchEngine::find_flow(const streamvsr_torch_flow& flow) {
  on_torch_thread([&] { model_->find_flow(flow); });
}

std::size_t TorchEngine::flow_bytes(const int width, const int height) const {
  return model_->flow_bytes(width, height);
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
