// What Python sets for a job, and the enhancer that this makes.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "enhance/network_enhancer.h"
#include "enhance/steady_enhancer.h"
#include "pipeline/plan.h"

namespace streamvsr {

// The pipeline's part and the enhancer's.
struct PythonConfig : JobConfig {
  std::string network_path = "nearest";        // or a network file, or a name for what follows
  TensorCall function;                         // a network that is no file, or
  std::shared_ptr<const std::string> archive;  // one as an archive
  std::string network_identity;                // of such a network
  std::string resume_name = "auto";
  std::string brgemm_path;
  std::string torch_path;
  std::string engine = "auto";
  std::string device = "auto";
  std::string colors = "auto";   // who computes an RGB network's: auto, zimg or tensor
  std::string flow_by = "auto";  // who finds motion: auto, loops or tensor
  int max_vram_mb = 6144;        // MiB on the network's device
  int compute_threads = 0;       // 0: one per core
  int passes = 1;                // of the network; 0: as many as scale asks
  int scale = 2;                 // of "nearest", and where passes is 0
  SteadyOptions steady;          // its threads are compute_threads
};

std::unique_ptr<Enhancer> make_enhancer(const PythonConfig& config);

// While the core works, Python's signal handlers are run this often.
constexpr std::chrono::milliseconds kSignalInterval{50};

}  // namespace streamvsr
