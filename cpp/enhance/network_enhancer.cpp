#include "enhance/network_enhancer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/cache_file.h"
#include "base/error.h"
#include "color/resample.h"
#include "enhance/device_flow.h"
#include "enhance/recolouring.h"
#include "enhance/tiled_engine.h"
#include "model/rows.h"
#include "model/torch_engine.h"
#include "tile/memory_cache.h"

namespace streamvsr {

namespace {

constexpr int kMostScale = 16;

// Purpose: composes engine and resampling for whole pictures. Thread-safety and ownership: as
// Enhancer; all computing is done on the engine's threads.
class NetworkEnhancer final : public Enhancer {
 public:
  // name: of the network, for people. passes: 0 for as many as reach `scale`.
  NetworkEnhancer(std::unique_ptr<Engine> engine, std::string name, const int threads,
                  const int passes, const int scale, std::vector<std::string> warnings)
      : name_(std::move(name)),
        warnings_(std::move(warnings)),
        scratch_(static_cast<std::size_t>(threads)),
        engine_(std::move(engine)),
        passes_(passes) {
    if (engine_->finds_flow()) flow_.emplace(*engine_);
    const int step = engine_->scale();
    if (passes == 0) passes_ = passes_to(scale);
    if (passes_ < 1) {
      throw Error(ErrorKind::kConfig, "passes is " + std::to_string(passes_) + ": use at least 1");
    }
    for (int pass = 0; pass < passes_ && scale_ <= kMostScale; ++pass) scale_ *= step;
    if (scale_ > kMostScale || (step == 1 && passes_ > kMostScale)) {
      throw Error(ErrorKind::kConfig, "passes is " + std::to_string(passes_) +
                                          ": too many for a network of scale " +
                                          std::to_string(step));
    }
  }

  int scale() const override { return scale_; }
  int preferred_batch() const override { return engine_->preferred_batch(); }
  std::size_t workspace_bytes(const PlaneFormat& source) const override;
  EnhancerWork work(const PlaneFormat& source) const override;
  std::vector<Planes> run(std::span<const EnhanceInput> batch, const StopFlag& stop) override;
  std::string numeric_type() const override {
    const Precision type = engine_->precision();
    return type == Precision::kAuto ? "" : precision_name(type);
  }
  std::string describe() const override {
    return name_ + (passes_ > 1 ? " x " + std::to_string(passes_) : "") + ": " +
           engine_->describe();
  }
  std::vector<std::string> warnings() const override { return warnings_; }
  FlowFinder* flow_finder() override { return flow_ ? &*flow_ : nullptr; }
  DeviceUse device_use() const override { return engine_->device_use(); }
  std::vector<std::string> take_notes() override { return engine_->take_notes(); }
  void check(const PlaneFormat& source, const ColorDescription& color) const override;

 private:
  // A resampler with the geometry it was made for.
  struct Known {
    PlaneGeometry geometry;
    std::unique_ptr<PlaneResampler> resampler;
  };

  int passes_to(int scale) const;
  // Whether pictures must become RGB for the network, and its results what they were.
  bool recolours(const PlaneFormat& source) const { return engine_->planes() == 3 && !source.rgb; }
  // Whether the network computes this plane of such a picture.
  bool is_networks(const PlaneFormat& format, const int plane) const {
    return plane == 0 || (format.rgb && plane < 3);
  }
  // Format of a pass' pictures where they are not the source's or the results': the network's
  // planes alone.
  PlaneFormat pass_format(const PlaneFormat& source, int scale) const;
  const PlaneResampler& resampler(const PlaneGeometry& geometry);
  // Planes, and what they are to the network's where they are luma and chroma for one of RGB.
  template <class OfPlanes>
  struct Coloured {
    OfPlanes& planes;
    const LumaChroma* colors = nullptr;
  };
  void add_pictures(Coloured<const Planes> source, Coloured<Planes> result, float codec_strength,
                    std::vector<Picture>& pictures) const;
  void add_resampling(const EnhanceInput& input, Planes& result, const StopFlag& stop,
                      std::vector<Engine::Task>& tasks);
  Scratch& scratch(int worker, std::size_t bytes);

  std::string name_;
  std::vector<std::string> warnings_;
  std::vector<Known> resamplers_;
  // For the pictures that recolours() tells; null for others.
  const Recolouring* recolouring(const EnhanceInput& input);
  std::vector<std::unique_ptr<const Recolouring>> recolourings_;
  // One a worker, kept between calls.
  std::vector<std::pair<std::size_t, std::unique_ptr<Scratch>>> scratch_;
  std::unique_ptr<Engine> engine_;
  std::optional<DeviceFlow> flow_;  // the engine's
  int passes_;
  int scale_ = 1;
};

int NetworkEnhancer::passes_to(const int scale) const {
  const int step = engine_->scale();
  int passes = 1;
  int reached = step;
  for (; reached < scale && step > 1; ++passes) reached *= step;
  if (reached != scale) {
    throw Error(ErrorKind::kConfig, "the network '" + name_ + "' enlarges by " +
                                        std::to_string(step) + ": scale " + std::to_string(scale) +
                                        " is out of its reach");
  }
  return passes;
}

PlaneFormat NetworkEnhancer::pass_format(const PlaneFormat& source, const int scale) const {
  PlaneFormat format = source;
  format.width *= scale;
  format.height *= scale;
  if (recolours(source)) format = Recolouring::as_rgb(format);
  format.plane_count = format.rgb ? 3 : 1;
  return format;
}

// The last pass is the largest.
void NetworkEnhancer::check(const PlaneFormat& format, const ColorDescription& given) const {
  const ColorDescription color = resolved(given, format);
  if (recolours(format) && !known_matrix(color.matrix)) {
    throw Error(ErrorKind::kConfig,
                "network '" + name_ + "' takes RGB pictures, and the video's colour matrix (" +
                    matrix_name(color.matrix) + ", code point " + std::to_string(color.matrix) +
                    ") cannot be computed with: choose a luma network, which takes 1 plane, or set "
                    "color_matrix where the tag is wrong");
  }
  const int before = scale_ / engine_->scale();
  engine_->prepare(format.width * before, format.height * before);
}

std::size_t NetworkEnhancer::workspace_bytes(const PlaneFormat& source) const {
  std::size_t bytes = 0;
  int scale = 1;
  for (int pass = 0; pass < passes_; ++pass) {
    bytes = std::max(bytes, engine_->workspace_bytes(source.width * scale, source.height * scale));
    scale *= engine_->scale();
    // Between passes: what the next one reads, for every picture of a batch.
    if (pass + 1 < passes_) {
      const PlaneFormat between = pass_format(source, scale);
      bytes += planes_bytes(between) * static_cast<std::size_t>(preferred_batch());
    }
  }
  // As RGB by zimg: what the first pass reads, what the last one writes, and the way between.
  if (recolours(source) && !engine_->recolours()) {
    const std::size_t large = planes_bytes(pass_format(source, scale));
    bytes += (planes_bytes(pass_format(source, 1)) + 2 * large) *
             static_cast<std::size_t>(preferred_batch());
  }
  return bytes;
}

EnhancerWork NetworkEnhancer::work(const PlaneFormat& source) const {
  EnhancerWork work;
  const PlaneFormat result = output_format(source);
  int runs = 0;  // of the network, for one picture and pass
  for (int plane = 0; plane < source.plane_count; ++plane) {
    if (is_networks(source, plane)) ++runs;
    if (recolours(source) || !is_networks(source, plane))
      work.resampled += static_cast<double>(result.plane_width(plane)) * result.plane_height(plane);
  }
  if (engine_->planes() == 3) runs = 1;
  double pixels = static_cast<double>(source.width) * source.height;
  for (int pass = 0; pass < passes_; ++pass) {
    work.flop += engine_->flop_per_pixel() * pixels * runs;
    pixels *= static_cast<double>(engine_->scale()) * engine_->scale();
  }
  return work;
}

const Recolouring* NetworkEnhancer::recolouring(const EnhanceInput& input) {
  const PlaneFormat& format = input.picture->format();
  if (!recolours(format)) return nullptr;
  const ColorDescription color = resolved(input.color, format);
  for (const auto& known : recolourings_)
    if (known->is_for(format, color)) return known.get();
  recolourings_.push_back(
      std::make_unique<const Recolouring>(format, color, scale_, engine_->recolours()));
  return recolourings_.back().get();
}

const PlaneResampler& NetworkEnhancer::resampler(const PlaneGeometry& geometry) {
  for (const Known& known : resamplers_) {
    if (known.geometry == geometry) return *known.resampler;
  }
  resamplers_.push_back({geometry, std::make_unique<PlaneResampler>(geometry)});
  return *resamplers_.back().resampler;
}

Scratch& NetworkEnhancer::scratch(const int worker, const std::size_t bytes) {
  auto& [size, buffer] = scratch_[static_cast<std::size_t>(worker)];
  if (!buffer || size < bytes) {
    buffer = std::make_unique<Scratch>(bytes);
    size = bytes;
  }
  return *buffer;
}

void NetworkEnhancer::add_pictures(const Coloured<const Planes> source,
                                   const Coloured<Planes> result, const float codec_strength,
                                   std::vector<Picture>& pictures) const {
  const PlaneFormat& format = source.planes.format();
  Picture picture;
  picture.width = format.width;
  picture.height = format.height;
  picture.depth = source.colors != nullptr ? result.planes.format().depth : format.depth;
  picture.conditions.assign(static_cast<std::size_t>(engine_->condition_count()), codec_strength);
  const auto add_source = [&](const int plane) {
    picture.source.push_back({source.planes.data(plane), source.planes.stride(plane)});
  };
  const auto add_result = [&](const int plane) {
    picture.result.push_back({result.planes.data(plane), result.planes.stride(plane)});
  };
  if (engine_->planes() == 3) {
    picture.source_colors = source.colors;
    picture.result_colors = result.colors;
    constexpr std::array kRgb = {2, 0, 1};  // planes are G, B, R; networks take R, G, B
    if (source.colors == nullptr) std::for_each(kRgb.begin(), kRgb.end(), add_source);
    if (result.colors == nullptr) std::for_each(kRgb.begin(), kRgb.end(), add_result);
    for (int p = 0; source.colors != nullptr && p < source.colors->planes; ++p) add_source(p);
    for (int p = 0; result.colors != nullptr && p < result.colors->planes; ++p) add_result(p);
    pictures.push_back(std::move(picture));
    return;
  }
  for (int plane = 0; plane < format.plane_count; ++plane) {
    if (!is_networks(format, plane)) continue;
    picture.source.clear();
    picture.result.clear();
    add_source(plane);
    add_result(plane);
    pictures.push_back(picture);
  }
}

void NetworkEnhancer::add_resampling(const EnhanceInput& input, Planes& result,
                                     const StopFlag& stop, std::vector<Engine::Task>& tasks) {
  const Planes& source = *input.picture;
  for (int plane = 0; plane < source.format().plane_count; ++plane) {
    if (is_networks(source.format(), plane)) continue;
    const PlaneResampler* by =
        &resampler(plane_geometry(source.format(), result.format(), plane, input.color.siting,
                                  input.color.siting, input.color.full_range));
    tasks.push_back([this, by, &source, &result, &stop, plane](const int worker) {
      stop.check();
      by->run(source.data(plane), source.stride(plane), result.data(plane), result.stride(plane),
              scratch(worker, by->scratch_bytes()).data());
    });
  }
}

std::vector<Planes> NetworkEnhancer::run(const std::span<const EnhanceInput> batch,
                                         const StopFlag& stop) {
  // A stream has one geometry a plane; a few stay for streams that change their size to and fro.
  if (resamplers_.size() > 16) resamplers_.clear();
  if (recolourings_.size() > 4) recolourings_.clear();
  std::vector<Planes> results(batch.size());
  std::vector<Engine::Task> beside;
  std::vector<Planes> sources(batch.size());  // of the pass at hand, where not the batch's own
  std::vector<Engine::Task> before;
  std::vector<const Recolouring*> ways(batch.size());  // of the pictures that become RGB
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Recolouring* const by = ways[i] = recolouring(batch[i]);
    if (by != nullptr && !by->by_engine()) {
      before.push_back([&, by, i](int) {
        stop.check();
        sources[i] = by->to_rgb(*batch[i].picture);
      });
    } else {
      results[i] = Planes(output_format(batch[i].picture->format()));
      if (by == nullptr) add_resampling(batch[i], results[i], stop, beside);
    }
  }
  if (!before.empty()) engine_->run({}, stop, before);

  int scale = 1;
  for (int pass = 0; pass < passes_; ++pass) {
    scale *= engine_->scale();
    const bool last = pass + 1 == passes_;
    std::vector<Planes> targets(batch.size());
    std::vector<Picture> pictures;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Planes& given = *batch[i].picture;
      const Recolouring* const by = ways[i];
      const bool own = last && (by == nullptr || by->by_engine());
      if (!own) targets[i] = Planes(pass_format(given.format(), scale));
      add_pictures(
          {sources[i].empty() ? given : sources[i],
           pass == 0 && by != nullptr ? by->source_colors() : nullptr},
          {own ? results[i] : targets[i], last && by != nullptr ? by->result_colors() : nullptr},
          pass == 0 ? batch[i].codec_strength : 0.0F, pictures);
    }
    engine_->run(pictures, stop, beside);
    beside.clear();
    sources = std::move(targets);
  }

  std::vector<Engine::Task> after;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Recolouring* const by = ways[i];
    if (by == nullptr || by->by_engine()) continue;
    after.push_back([&, by, i](int) {
      stop.check();
      results[i] = by->from_rgb(sources[i]);
    });
  }
  if (!after.empty()) engine_->run({}, stop, after);
  return results;
}

std::unique_ptr<Engine> make_torch_engine(const EnhancerOptions& options,
                                          std::shared_ptr<const Network> network) {
  TorchOptions torch;
  torch.function = options.function;
  torch.network = std::move(network);
  torch.archive = options.archive;
  torch.archive_path = options.network_path;
  torch.library_path = options.torch_path;
  torch.device = options.device;
  torch.threads = options.threads;
  torch.precision = options.precision;
  torch.memory_limit = options.device_limit;
  torch.colors = options.colors;
  torch.flow_by = options.flow_by;
  auto engine = std::make_unique<TorchEngine>(torch);
  // On the CPU the rows engine is the better one.
  if (torch.network && options.engine == "auto" && engine->on_cpu()) return nullptr;
  return std::make_unique<TiledEngine>(std::move(engine), TiledOptions{memory_cache_folder(), 0});
}

}  // namespace

std::unique_ptr<Enhancer> make_network_enhancer(const EnhancerOptions& options) {
  std::unique_ptr<Engine> engine;
  std::string name;
  std::vector<std::string> warnings;
  if (options.engine != "auto" && options.engine != "rows" && options.engine != "torch")
    throw Error(ErrorKind::kConfig, "engine is '" + options.engine + "': use auto, rows or torch");
  const bool in_memory = options.function.call != nullptr || options.archive;
  if (in_memory || is_torch_archive(options.network_path)) {
    if (options.engine == "rows")
      throw Error(ErrorKind::kConfig,
                  "engine 'rows' runs .safetensors networks alone: leave it out");
    name = options.network_path.substr(options.network_path.find_last_of('/') + 1);
    engine = make_torch_engine(options, nullptr);
    warnings = engine->warnings();
  } else {
    const auto network = std::make_shared<const Network>(read_network(options.network_path));
    name = network->name;
    const bool elsewhere = options.device != "cpu" && !options.torch_path.empty();
    if (options.engine == "torch" || (options.engine == "auto" && elsewhere))
      engine = make_torch_engine(options, network);
    if (engine) {
      warnings = engine->warnings();
    } else {
      engine = std::make_unique<RowsEngine>(
          *network, RowsOptions{options.brgemm_path, options.threads, options.precision, 0,
                                cache_folder("numeric-type")});
      if (options.device != "auto" && options.device != "cpu")
        warnings.push_back("network '" + name + "' runs on the CPU, not on " + options.device +
                           (options.engine == "rows" ? ": the rows engine knows the CPU alone"
                                                     : ": torch sees no such device"));
    }
  }
  return std::make_unique<NetworkEnhancer>(std::move(engine), std::move(name), options.threads,
                                           options.passes, options.scale, std::move(warnings));
}

}  // namespace streamvsr
