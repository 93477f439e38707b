// What the pipeline knows of the C stage's work: planes in, planes out. The only header of enhance
// that pipeline may include; it knows nothing of networks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "color/description.h"
#include "color/planes.h"
#include "tensor/device_memory.h"

namespace streamvsr {

class FlowFinder;  // temporal/flow.h

// One source picture and what is known of it.
struct EnhanceInput {
  const Planes* picture = nullptr;  // owned by the caller, untouched
  ColorDescription color;           // of picture, resolved()
  float codec_strength = 0.0F;      // docs/network-format.md; 0 = lossless source
};

// What enhancing one picture takes, in units that depend on no machine: pipeline/work.h has their
// costs.
struct EnhancerWork {
  double flop = 0.0;       // floating-point operations of the network; two a multiply-add
  double resampled = 0.0;  // samples of the result that are interpolated
  double searched = 0.0;   // source pixels for which motion is searched, there and back
  double blended = 0.0;    // samples of the result, times the earlier pictures blended into them
};

// Purpose: turns source pictures into enhanced ones. Ownership: results belong to the caller.
// Thread-safety: run() is called by one thread at a time; it may use threads of its own.
// Determinism: a picture's result depends on that picture and the look_back() pictures before it in
// the stream, never on how they were batched; whatever else it has seen must not matter.
class Enhancer {
 public:
  virtual ~Enhancer() = default;

  // Factor in both directions.
  virtual int scale() const = 0;
  // Format of the result for a source format: width and height times scale, all else equal.
  PlaneFormat output_format(PlaneFormat source) const {
    source.width *= scale();
    source.height *= scale();
    return source;
  }
  // Makes ready for pictures of this format. Throws kConfig where it cannot enhance them, kMemory
  // where its device is too small for them.
  virtual void check(const PlaneFormat&, const ColorDescription&) const {}
  // How many pictures make the best use of it at once; >= 1.
  virtual int preferred_batch() const { return 1; }
  // How many pictures before one its result depends on, 0..16. A run that goes on with an earlier
  // one's work is given that many again, whose results nobody sees.
  virtual int look_back() const { return 0; }
  // Bytes held beside the pictures for a source of this format (rings, scratch).
  virtual std::size_t workspace_bytes(const PlaneFormat& source) const = 0;
  // Work for one picture of this format. The same on every machine, whatever the network runs on.
  virtual EnhancerWork work(const PlaneFormat&) const { return {}; }
  // Enhances a batch. Looks at stop between tiles and throws kStopped.
  virtual std::vector<Planes> run(std::span<const EnhanceInput> batch, const StopFlag& stop) = 0;
  // The numeric type that "auto" stands for on this machine: "bf16" or "fp32". Empty where it is no
  // choice of the machine's.
  virtual std::string numeric_type() const { return ""; }
  // One line for reports: engine, precision, and whatever else decides the rounding.
  virtual std::string describe() const = 0;
  // What a user must know before the work, a sentence each.
  virtual std::vector<std::string> warnings() const { return {}; }
  // Who finds motion between source pictures where the network runs; it lives as long as the
  // enhancer. Null: nobody there.
  virtual FlowFinder* flow_finder() { return nullptr; }
  // What is held on the network's device; from any thread.
  virtual DeviceUse device_use() const { return {}; }
  // What came up in run() since the last call and a user should know, a sentence each.
  virtual std::vector<std::string> take_notes() { return {}; }
};

// Repeats every sample scale x scale times: the enhancer of tests, torch-free.
std::unique_ptr<Enhancer> make_nearest_enhancer(int scale);

}  // namespace streamvsr
