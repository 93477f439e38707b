#include "model/torch_engine.h"

#include <dlfcn.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "model/torch/torch_table.h"

namespace streamvsr {

namespace {

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

}  // namespace

bool is_torch_archive(const std::string& path) {
  return ends_with(path, ".pt") || ends_with(path, ".ts");
}

// Purpose: RAII of one loaded archive. Thread-safety: made, used and destroyed by one thread.
class TorchModel {
 public:
  TorchModel(const streamvsr_torch& table, const std::string& path) : table_(table), path_(path) {}
  ~TorchModel() {
    if (model_ != nullptr) table_.unload(model_);
  }
  TorchModel(const TorchModel&) = delete;
  TorchModel& operator=(const TorchModel&) = delete;

  // True, or false with failure() saying why.
  bool load(const std::string& device, const char* precision, const int threads) {
    const streamvsr_torch_request request = {path_.c_str(), device.c_str(), precision, threads};
    status_ = table_.load(&request, &model_, &info_);
    failure_ = status_ == STREAMVSR_TORCH_OK ? "" : table_.last_error();
    return status_ == STREAMVSR_TORCH_OK;
  }
  bool device_is_missing() const { return status_ == STREAMVSR_TORCH_NO_DEVICE; }
  const std::string& failure() const { return failure_; }
  const streamvsr_torch_info& info() const { return info_; }

  void run(const Picture& picture) {
    streamvsr_torch_picture p{picture.width, picture.height, picture.depth, {}, {}, {}, {}};
    for (std::size_t i = 0; i < picture.source.size(); ++i) {
      p.source[i] = picture.source[i].data;
      p.source_stride[i] = picture.source[i].stride;
      p.result[i] = picture.result[i].data;
      p.result_stride[i] = picture.result[i].stride;
    }
    status_ = table_.run(model_, &p);
    if (status_ == STREAMVSR_TORCH_OK) return;
    failure_ = table_.last_error();
    throw_failure("network '" + path_ + "' failed on a picture of " +
                  std::to_string(picture.width) + "x" + std::to_string(picture.height));
  }
  [[noreturn]] void throw_failure(const std::string& what) const {
    const bool memory = status_ == STREAMVSR_TORCH_MEMORY;
    throw Error(memory ? ErrorKind::kMemory : ErrorKind::kModel, what + ": " + failure_, path_);
  }

 private:
  const streamvsr_torch& table_;
  std::string path_;
  streamvsr_torch_model* model_ = nullptr;
  streamvsr_torch_info info_{};
  int status_ = STREAMVSR_TORCH_OK;
  std::string failure_;
};

namespace {

// The archive on the device that was asked for, there in half precision if it can be; else on the
// CPU with a warning.
std::unique_ptr<TorchModel> load(const TorchOptions& options, std::vector<std::string>& warnings) {
  auto model = std::make_unique<TorchModel>(open_table(options.library_path), options.archive_path);
  const char* const precision = precision_name(options.precision);
  if (model->load(options.device, precision, options.threads)) return model;
  if (options.device != "cpu") {
    const std::string why = model->failure();
    if (!model->device_is_missing() && options.precision == Precision::kAuto &&
        model->load(options.device, "fp32", options.threads))
      return model;
    const std::string asked = options.device == "auto" ? "the accelerator" : options.device;
    warnings.push_back("network '" + options.archive_path + "' runs on the CPU, not on " + asked +
                       ": " + why);
    if (model->load("cpu", precision, options.threads)) return model;
  }
  model->throw_failure("cannot use network file '" + options.archive_path +
                       "' as a TorchScript archive, which torch.jit.script(network).save() makes");
}

}  // namespace

TorchEngine::TorchEngine(const TorchOptions& options)
    : torch_thread_((check_threads(options.threads), 1)), beside_(options.threads) {
  check_there(options.archive_path);
  const Task task = [&](int) { model_ = load(options, warnings_); };
  torch_thread_.run(std::span(&task, 1));
}

TorchEngine::~TorchEngine() {
  const Task task = [this](int) { model_.reset(); };
  torch_thread_.run(std::span(&task, 1));
}

int TorchEngine::scale() const { return model_->info().scale; }
int TorchEngine::planes() const { return model_->info().planes; }
std::string TorchEngine::describe() const { return model_->info().description; }

void TorchEngine::run(const std::span<const Picture> pictures, const StopFlag& stop,
                      const std::span<const Task> beside) {
  for (const Picture& picture : pictures) check_picture(*this, picture);
  const Task task = [&](int) {
    for (const Picture& picture : pictures) {
      stop.check();
      model_->run(picture);
    }
  };
  torch_thread_.run(std::span(&task, 1));
  beside_.run(beside);
}

std::size_t TorchEngine::workspace_bytes(const int width, const int height) const {
  const streamvsr_torch_info& info = model_->info();
  const std::size_t samples = static_cast<std::size_t>(width) * height;
  const std::size_t activations = 2 * samples * info.widest * info.sample_bytes;
  const std::size_t pictures = samples * info.planes * (1 + info.scale * info.scale);
  return activations + pictures * (sizeof(float) + info.sample_bytes);
}

}  // namespace streamvsr
