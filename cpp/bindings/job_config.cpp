#include "bindings/job_config.h"

#include "base/cpu.h"

namespace streamvsr {

namespace {

constexpr int kLeastDeviceMib = 16;

std::unique_ptr<Enhancer> make_inner_enhancer(const PythonConfig& config) {
  if (config.network_path == "nearest") return make_nearest_enhancer(config.scale);
  if (config.max_vram_mb < kLeastDeviceMib)
    throw Error(ErrorKind::kConfig, "max_vram_mb is " + std::to_string(config.max_vram_mb) +
                                        ": use at least " + std::to_string(kLeastDeviceMib));
  EnhancerOptions options;
  options.network_path = config.network_path;
  options.function = config.function;
  options.archive = config.archive;
  options.brgemm_path = config.brgemm_path;
  options.torch_path = config.torch_path;
  options.engine = config.engine;
  options.device = config.device;
  options.colors = parse_colors(config.colors);
  options.flow_by = parse_flow_by(config.flow_by);
  options.device_limit = static_cast<std::size_t>(config.max_vram_mb) << 20;
  options.precision = parse_precision(config.precision);
  options.threads = config.compute_threads > 0 ? config.compute_threads : usable_cores();
  options.passes = config.passes;
  options.scale = config.scale;
  return make_network_enhancer(options);
}

}  // namespace

std::unique_ptr<Enhancer> make_enhancer(const PythonConfig& config) {
  SteadyOptions steady = config.steady;
  steady.threads = config.compute_threads > 0 ? config.compute_threads : usable_cores();
  return make_steady_enhancer(make_inner_enhancer(config), steady);
}

}  // namespace streamvsr
