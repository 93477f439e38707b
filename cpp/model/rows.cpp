#include "model/rows.h"

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <optional>
#include <random>
#include <type_traits>

#include "base/error.h"
#include "model/cpu_facts.h"
#include "model/numeric_type.h"
#include "model/strip.h"

namespace streamvsr {

namespace {

// Narrower strips spend more on their borders than any cache can win.
constexpr int kLeastColumns = 96;
// Size of the strips' measurement: long enough to see the caches at work, short enough not to be
// noticed.
constexpr double kMeasureFlops = 4e9;
// Size of the types' measurement, which is run several times for each type, and its picture.
constexpr double kTypeFlops = 5e8;
constexpr int kTypeColumns = 480;

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// The first column of part i of n.
int edge(const int width, const int parts, const int i) {
  return static_cast<int>(static_cast<std::int64_t>(width) * i / parts);
}

// The top of a gray picture to measure with, and room for its result.
struct GrayTop {
  GrayTop(const int scale, const int planes, const int conditions, const int width, const int rows)
      : source(static_cast<std::size_t>(width) * rows, 128), result(source.size() * scale * scale) {
    picture.width = width;
    picture.height = rows;
    picture.source.assign(planes, {source.data(), width});
    picture.result.assign(planes, {result.data(), static_cast<std::ptrdiff_t>(width) * scale});
    picture.conditions.assign(conditions, 0.0F);
  }

  std::vector<std::uint8_t> source, result;
  Picture picture;
};

// Rows of a picture of this width that cost about `flops`.
int rows_worth(const double flops, const double flops_per_pixel, const int width,
               const int input_halo) {
  return std::max(input_halo + 4,
                  static_cast<int>(std::min(64.0, flops / flops_per_pixel / width)));
}

}  // namespace

// Purpose: hides the type of the activations. Thread-safety: different workers may run at once.
class RowsProgram {
 public:
  virtual ~RowsProgram() = default;
  virtual void run(int worker, const Picture& picture, int begin, int end, int rows,
                   const StopFlag& stop) = 0;
  virtual double bare_seconds(int width, double seconds) = 0;
  virtual std::size_t bytes(int columns) const = 0;
  virtual int input_halo() const = 0;
  virtual Precision precision() const = 0;
  virtual std::string describe() const = 0;
};

namespace {

template <class T>
class TypedProgram final : public RowsProgram {
 public:
  TypedProgram(const Network& network, std::shared_ptr<const MatrixKernels> kernels,
               const int threads)
      : kernels_(std::move(kernels)), program_(make_plan(network), *kernels_) {
    for (int i = 0; i < threads; ++i) strips_.push_back(std::make_unique<Strip<T>>(program_));
  }

  void run(const int worker, const Picture& picture, const int begin, const int end, const int rows,
           const StopFlag& stop) override {
    try {
      strips_[worker]->run(picture, begin, end, rows, stop);
    } catch (...) {
      kernels_->release();
      throw;
    }
    kernels_->release();
  }

  // Seconds for one row of `width` pixels through the products of all stages.
  double bare_seconds(const int width, const double seconds) override {
    AlignedVector<T> a;
    AlignedVector<float> c;
    for (const Stage& stage : program_.plan.stages) {
      const std::size_t pixels = static_cast<std::size_t>(width) + 64;
      a.resize(std::max(a.size(), pixels * stage.kernel * stage.in_pitch + 64));
    }
    for (const auto& packed : program_.packed) {
      c.resize(std::max(c.size(), static_cast<std::size_t>(256) * packed.columns));
    }
    // Values as varied as real ones: equal ones switch fewer transistors, and the clock rises.
    std::minstd_rand random;
    for (T& value : a) {
      value = round_to<T>(static_cast<float>(random() % 2048) * 0x1p-10F - 1.0F);
    }
    // The median: a thread's CPU clock jumps on virtual machines, in both directions.
    std::vector<double> passes;
    const double stop_at = thread_seconds() + seconds;
    do {
      const double start = thread_seconds();
      for (std::size_t s = 0; s < program_.packed.size(); ++s) {
        const Stage& stage = program_.plan.stages[s];
        const auto& packed = program_.packed[s];
        const int lda = stage.kernel * stage.in_pitch;
        const int most = product_rows(packed.columns);
        for (int x = 0; x < width; x += most) {
          kernels_->template multiply<T>(std::min(most, (width - x + 15) / 16 * 16),
                                         a.data() + static_cast<std::size_t>(x) * lda, lda, packed,
                                         c.data());
        }
      }
      passes.push_back(thread_seconds() - start);
    } while (thread_seconds() < stop_at);
    kernels_->release();
    const auto middle = passes.begin() + static_cast<std::ptrdiff_t>(passes.size() / 2);
    std::nth_element(passes.begin(), middle, passes.end());
    return *middle;
  }

  std::size_t bytes(const int columns) const override {
    return strip_bytes(program_.plan, columns, sizeof(T));
  }
  int input_halo() const override { return program_.plan.input_halo; }
  Precision precision() const override {
    return std::is_same_v<T, Bf16> ? Precision::kBf16 : Precision::kFp32;
  }
  std::string describe() const override {
    // The microkernels obey the limit, and results may differ with it, so a report names it.
    const std::string limit = onednn_limit();
    return std::string("rows ") + precision_name(precision()) +
           (kernels_->template fast<T>() ? ", brgemm, " : ", own loops, ") +
           widest_unit(limited(this_cpu(), limit)) +
           (limit.empty() ? "" : ", ONEDNN_MAX_CPU_ISA=" + limit);
  }

 private:
  std::shared_ptr<const MatrixKernels> kernels_;
  Program<T> program_;
  std::vector<std::unique_ptr<Strip<T>>> strips_;
};

using SharedKernels = std::shared_ptr<const MatrixKernels>;

// Layers and channels: networks of one shape take the same time.
std::string shape_of(const Network& network) {
  std::string shape = std::to_string(network.input_channels());
  for (const Layer& layer : network.layers)
    shape +=
        "-" + std::to_string(static_cast<int>(layer.op)) + "." + std::to_string(layer.channels);
  return shape;
}

Precision type_of(const Network& network, const RowsOptions& options,
                  const SharedKernels& kernels) {
  if (options.precision != Precision::kAuto) return options.precision;
  // Made for the first round alone: where a choice is remembered, neither is needed.
  std::unique_ptr<TypedProgram<float>> fp32;
  std::unique_ptr<TypedProgram<Bf16>> bf16;
  std::optional<GrayTop> top;
  const auto seconds = [&](RowsProgram& program) {
    const double start = thread_seconds();
    program.run(0, top->picture, 0, top->picture.width, top->picture.height, StopFlag());
    return thread_seconds() - start;
  };
  const auto round = [&] {
    if (!top) {
      fp32 = std::make_unique<TypedProgram<float>>(network, kernels, 1);
      bf16 = std::make_unique<TypedProgram<Bf16>>(network, kernels, 1);
      const double flops = network.flops_per_pixel();
      top.emplace(network.scale, network.planes, network.condition_count(), kTypeColumns,
                  rows_worth(kTypeFlops, flops, kTypeColumns, fp32->input_halo()));
      // The first run of each makes its microkernels.
      seconds(*fp32);
      seconds(*bf16);
    }
    return TypeTimes{seconds(*fp32), seconds(*bf16)};
  };
  TypeChoice choice;
  choice.cpu = limited(this_cpu(), onednn_limit());
  choice.bf16_works = kernels->fast<Bf16>();
  choice.network = shape_of(network);
  choice.cache_folder = options.type_cache;
  return choose_type(choice, round);
}

std::unique_ptr<RowsProgram> make_program(const Network& network, const RowsOptions& options) {
  const auto kernels = std::make_shared<const MatrixKernels>(options.brgemm_path);
  if (type_of(network, options, kernels) == Precision::kBf16)
    return std::make_unique<TypedProgram<Bf16>>(network, kernels, options.threads);
  return std::make_unique<TypedProgram<float>>(network, kernels, options.threads);
}

}  // namespace

RowsEngine::RowsEngine(const Network& network, const RowsOptions& options)
    : scale_(network.scale),
      planes_(network.planes),
      conditions_(network.condition_count()),
      strip_(options.strip),
      flops_per_pixel_(network.flops_per_pixel()) {
  check_threads(options.threads);
  if (options.precision == Precision::kFp16) {
    throw Error(
        ErrorKind::kConfig,
        "precision is 'fp16', in which only the torch engine computes: use auto, bf16 or fp32, or "
        "engine=\"torch\"");
  }
  if (options.strip < 0) {
    throw Error(ErrorKind::kConfig,
                "strip is " + std::to_string(options.strip) + ": use 0 or a number of columns");
  }
  program_ = make_program(network, options);
  pool_ = std::make_unique<ThreadPool>(options.threads);
}

RowsEngine::~RowsEngine() = default;

void RowsEngine::run(const std::span<const Picture> pictures, const StopFlag& stop,
                     const std::span<const Task> beside) {
  for (const Picture& picture : pictures) check_picture(*this, picture);
  std::vector<Task> tasks;
  const int threads = pool_->threads();
  const int count = static_cast<int>(pictures.size());
  // Whole pictures where every thread gets as many; what is left over is cut, so that no thread
  // idles.
  const int whole = count / threads * threads;
  for (int i = 0; i < count; ++i) {
    const Picture& picture = pictures[i];
    int parts = std::min(strip_parts(picture.width), picture.width);
    if (i < whole) {
      tasks.push_back([this, &picture, &stop, parts](const int worker) {
        for (int p = 0; p < parts; ++p) {
          program_->run(worker, picture, edge(picture.width, parts, p),
                        edge(picture.width, parts, p + 1), picture.height, stop);
        }
      });
      continue;
    }
    parts = std::min((parts + threads - 1) / threads * threads, picture.width);
    for (int p = 0; p < parts; ++p) {
      tasks.push_back([this, &picture, &stop, parts, p](const int worker) {
        program_->run(worker, picture, edge(picture.width, parts, p),
                      edge(picture.width, parts, p + 1), picture.height, stop);
      });
    }
  }
  tasks.insert(tasks.end(), beside.begin(), beside.end());
  pool_->run(tasks);
}

int RowsEngine::strip_parts(const int width) {
  if (strip_ > 0) return (width + strip_ - 1) / strip_;
  if (width < 2 * kLeastColumns) return 1;
  const auto known = parts_.find(width);
  if (known != parts_.end()) return known->second;
  return parts_[width] = measure_parts(width);
}

int RowsEngine::strip_columns(const int width) {
  const int parts = strip_parts(width);
  return (width + parts - 1) / parts;
}

// Times the top of a blank picture with each way of cutting it. CPU time of one thread: what else
// the machine does hardly shows.
int RowsEngine::measure_parts(const int width) {
  const int rows = rows_worth(kMeasureFlops, flops_per_pixel_, width, program_->input_halo());
  const GrayTop top(scale_, planes_, conditions_, width, rows);
  const StopFlag never;
  int best = 1;
  const Task measure = [&](const int worker) {
    double best_seconds = std::numeric_limits<double>::max();
    for (const int parts : {1, 2, 3, 4, 6, 8, 12, 16}) {
      if (width / parts < kLeastColumns) break;
      double seconds = std::numeric_limits<double>::max();
      for (int repeat = 0; repeat < 2; ++repeat) {
        const double start = thread_seconds();
        for (int p = 0; p < parts; ++p) {
          program_->run(worker, top.picture, edge(width, parts, p), edge(width, parts, p + 1), rows,
                        never);
        }
        seconds = std::min(seconds, thread_seconds() - start);
      }
      // More strips must pay: they also mean more borders when a picture is cut for threads.
      if (seconds < best_seconds * 0.98) {
        best = parts;
        best_seconds = seconds;
      }
    }
  };
  pool_->run(std::span(&measure, 1));
  return best;
}

double RowsEngine::bare_gflops(const int width, const double seconds) {
  double row = 0;
  const int columns = strip_columns(width);
  const Task measure = [&](int) { row = program_->bare_seconds(columns, seconds); };
  pool_->run(std::span(&measure, 1));
  return flops_per_pixel_ * columns / row * 1e-9;
}

std::size_t RowsEngine::workspace_bytes(const int width) const {
  const int columns = strip_ > 0 ? std::min(strip_, width) : width;
  return program_->bytes(columns) * static_cast<std::size_t>(pool_->threads());
}

std::string RowsEngine::describe() const { return program_->describe(); }

Precision RowsEngine::precision() const { return program_->precision(); }

}  // namespace streamvsr
