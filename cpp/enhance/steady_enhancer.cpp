#include "enhance/steady_enhancer.h"

#include <charconv>
#include <string>
#include <utility>

#include "color/resample.h"

namespace streamvsr {

namespace {

// Short, and exactly this value: it tells jobs apart.
std::string number(const float value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// The planes that a network computes.
PlaneFormat network_format(PlaneFormat format) {
  format.plane_count = format.rgb ? 3 : 1;
  return format;
}

// Purpose: composes an enhancer with mask and temporal window. Thread-safety and ownership: as
// Enhancer.
class SteadyEnhancer final : public Enhancer {
 public:
  SteadyEnhancer(std::unique_ptr<Enhancer> inner, const SteadyOptions& options)
      : inner_(std::move(inner)),
        options_(options),
        finder_(inner_->flow_finder() != nullptr ? *inner_->flow_finder() : flow_by_loops()),
        stabilizer_(options.temporal, relates(), finder_),
        pool_(options.threads) {}

  int scale() const override { return inner_->scale(); }
  void check(const PlaneFormat& source, const ColorDescription& color) const override {
    // First, so that what the network leaves free is known to it.
    if (relates()) finder_.prepare(source.width, source.height);
    inner_->check(source, color);
  }
  int preferred_batch() const override { return inner_->preferred_batch(); }
  // The oldest enhanced picture of the window must be what it was. How far it is masked, and what
  // the next one's motion is taken to be, may depend on the one before it.
  int look_back() const override {
    const int own = options_.temporal.on()        ? options_.temporal.window
                    : options_.mask.uses_motion() ? 1
                                                  : 0;
    return inner_->look_back() + own;
  }
  std::size_t workspace_bytes(const PlaneFormat& source) const override;
  EnhancerWork work(const PlaneFormat& source) const override;
  std::vector<Planes> run(std::span<const EnhanceInput> batch, const StopFlag& stop) override;
  std::string numeric_type() const override { return inner_->numeric_type(); }
  std::string describe() const override {
    const std::string finder = relates() ? finder_.describe() : "";
    return inner_->describe() + "; " + streamvsr::describe(options_) +
           (finder.empty() ? "" : "; " + finder);
  }
  std::vector<std::string> warnings() const override { return inner_->warnings(); }
  DeviceUse device_use() const override { return inner_->device_use(); }
  std::vector<std::string> take_notes() override { return inner_->take_notes(); }

 private:
  // What is made of each source picture by itself.
  struct Prepared {
    std::shared_ptr<const GrayPyramid> gray;
    Planes interpolated;  // the network's planes; empty without a mask
  };

  std::vector<Prepared> prepare(std::span<const EnhanceInput> batch, const StopFlag& stop);
  // Whether motion is looked for.
  bool relates() const { return options_.temporal.on() || options_.mask.uses_motion(); }

  std::unique_ptr<Enhancer> inner_;
  SteadyOptions options_;
  FlowFinder& finder_;  // inner_'s, or the loops
  Stabilizer stabilizer_;
  // Of the size that was last.
  PlaneGeometry geometry_;
  std::shared_ptr<const PlaneResampler> resampler_;
  ThreadPool pool_;
};

std::size_t SteadyEnhancer::workspace_bytes(const PlaneFormat& source) const {
  const auto batch = static_cast<std::size_t>(std::max(1, preferred_batch()));
  const auto samples =
      static_cast<std::size_t>(source.width) * static_cast<std::size_t>(source.height);
  const PlaneFormat enhanced = output_format(source);
  std::size_t bytes = inner_->workspace_bytes(source) + stabilizer_.bytes(source, enhanced) +
                      batch * GrayPyramid::bytes(source.width, source.height);
  if (relates()) bytes += finder_.bytes(source.width, source.height);
  if (options_.mask.on()) bytes += batch * planes_bytes(network_format(enhanced)) + samples;
  return bytes;
}

EnhancerWork SteadyEnhancer::work(const PlaneFormat& source) const {
  EnhancerWork work = inner_->work(source);
  const PlaneFormat enhanced = network_format(output_format(source));
  const double samples =
      static_cast<double>(enhanced.width) * enhanced.height * enhanced.plane_count;
  if (relates()) work.searched += static_cast<double>(source.width) * source.height;
  if (options_.mask.on()) work.resampled += samples;
  if (options_.temporal.on()) work.blended += samples * (options_.temporal.window - 1);
  return work;
}

std::vector<SteadyEnhancer::Prepared> SteadyEnhancer::prepare(
    const std::span<const EnhanceInput> batch, const StopFlag& stop) {
  std::vector<Prepared> all(batch.size());
  std::vector<std::function<void()>> work;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const EnhanceInput& input = batch[i];
    Prepared& prepared = all[i];
    work.emplace_back([&input, &prepared] {
      prepared.gray = std::make_shared<const GrayPyramid>(*input.picture);
    });
    if (!options_.mask.on()) continue;
    const PlaneFormat source = network_format(input.picture->format());
    prepared.interpolated = Planes(output_format(source));
    // The network's planes all have one geometry.
    const PlaneGeometry geometry = plane_geometry(source, prepared.interpolated.format(), 0,
                                                  input.color.siting, input.color.siting, true);
    if (!resampler_ || !(geometry == geometry_)) {
      resampler_ = std::make_shared<const PlaneResampler>(geometry);
      geometry_ = geometry;
    }
    for (int plane = 0; plane < source.plane_count; ++plane) {
      work.emplace_back([&input, &prepared, by = resampler_, plane] {
        Scratch scratch(by->scratch_bytes());
        by->run(input.picture->data(plane), input.picture->stride(plane),
                prepared.interpolated.data(plane), prepared.interpolated.stride(plane),
                scratch.data());
      });
    }
  }
  on_pool(pool_)(static_cast<int>(work.size()), [&](const int i) {
    stop.check();
    work[static_cast<std::size_t>(i)]();
  });
  return all;
}

std::vector<Planes> SteadyEnhancer::run(const std::span<const EnhanceInput> batch,
                                        const StopFlag& stop) {
  std::vector<Planes> results = inner_->run(batch, stop);
  const std::vector<Prepared> prepared = prepare(batch, stop);
  const Parallel threads = on_pool(pool_);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    stop.check();
    const Relation& relation = stabilizer_.look_at(prepared[i].gray, threads);
    if (options_.mask.on()) {
      const SafeRegion region = safe_region(stabilizer_.gray(), relation, batch[i].color.full_range,
                                            options_.mask, threads);
      for (int plane = 0; plane < prepared[i].interpolated.format().plane_count; ++plane) {
        mix(region, scale(), prepared[i].interpolated, plane, results[i], plane, threads);
      }
    }
    results[i] = stabilizer_.steady(std::move(results[i]), scale(), threads);
  }
  return results;
}

}  // namespace

std::string describe(const SteadyOptions& options) {
  std::string text;
  const SteadySettings& temporal = options.temporal;
  if (temporal.on()) {
    const MotionSearch& search = temporal.search;
    text = "steady: window " + std::to_string(temporal.window) + ", strength " +
           number(temporal.strength) +
           (!search.flow         ? ", no flow"
            : search.finest == 0 ? ", flow"
                                 : ", flow at 1/" + std::to_string(1 << search.finest)) +
           (temporal.background_lock ? ", background lock" : "");
  }
  const SafeRegionSettings& mask = options.mask;
  if (mask.on()) {
    text += std::string(text.empty() ? "" : "; ") + "mask: strength " + number(mask.strength) +
            ", highlights " + number(mask.highlights) + ", shadows " + number(mask.shadows) +
            ", edges " + number(mask.edges) + ", motion " + number(mask.motion);
  }
  return text;
}

Parallel on_pool(ThreadPool& pool) {
  return [&pool](const int count, const std::function<void(int)>& piece) {
    std::vector<ThreadPool::Task> tasks;
    tasks.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) tasks.emplace_back([&piece, i](int) { piece(i); });
    pool.run(tasks);
  };
}

std::unique_ptr<Enhancer> make_steady_enhancer(std::unique_ptr<Enhancer> inner,
                                               const SteadyOptions& options) {
  check(options.temporal);
  check(options.mask);
  if (!options.on()) return inner;
  return std::make_unique<SteadyEnhancer>(std::move(inner), options);
}

}  // namespace streamvsr
