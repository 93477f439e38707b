// What every engine is: a network over integer planes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/stop.h"
#include "model/picture.h"
#include "model/thread_pool.h"
#include "tensor/device_memory.h"

struct streamvsr_torch_flow;  // model/torch/torch_table.h

namespace streamvsr {

enum class Precision {
  kAuto,  // the engine's own choice
  kBf16,  // weights and activations rounded to bfloat16
  kFp16,  // to half precision
  kFp32,
};

// Throws kConfig for anything but "auto", "bf16", "fp16" and "fp32".
Precision parse_precision(const std::string& name);
const char* precision_name(Precision precision);

// Who makes luma and chroma into a network's red, green and blue, and its result into them again.
enum class Colors {
  kAuto,    // tensors where the network does not run on the CPU
  kZimg,    // zimg, on the CPU
  kTensor,  // tensors, on the network's device
};
// Throws kConfig for anything but "auto", "zimg" and "tensor".
Colors parse_colors(const std::string& name);

// Who finds motion between pictures, for what is done to the network's results later.
enum class FlowBy {
  kAuto,    // tensors where the network does not run on the CPU
  kLoops,   // loops, on the CPU
  kTensor,  // tensors, on the network's device
};
// Throws kConfig for anything but "auto", "loops" and "tensor".
FlowBy parse_flow_by(const std::string& name);

// Purpose: runs one network. Thread-safety: run() by one thread at a time; the rest is const.
// Ownership: owns weights, threads and buffers; pictures stay the caller's. Determinism: a result
// depends on what describe() names and on its picture, never on the other pictures of a call or on
// earlier ones.
class Engine {
 public:
  // Work that is not the network's, for the engine's threads.
  using Task = ThreadPool::Task;

  virtual ~Engine() = default;

  // Factor in both directions.
  virtual int scale() const = 0;
  // Planes the network takes and gives: 1, or 3 for red, green and blue.
  virtual int planes() const = 0;
  // Floating-point operations of the network for one source pixel; two a multiply-add. The same on
  // every machine and device: segments are planned with it.
  virtual double flop_per_pixel() const = 0;
  // Values that a picture carries beside its planes.
  virtual int condition_count() const = 0;
  // Whether pictures' planes may be luma and chroma where the network's are red, green and blue.
  virtual bool recolours() const { return false; }
  // Whether it is to find motion between pictures, too; else the next three are not called.
  virtual bool finds_flow() const { return false; }
  // Makes ready for motion between pictures of this size; throws kMemory where there is too little.
  virtual void prepare_flow(int, int) {}
  // Throws kMemory, and kModel for what the device failed at.
  virtual void find_flow(const streamvsr_torch_flow&) {}
  // Bytes that this holds at most, for pictures of this size.
  virtual std::size_t flow_bytes(int, int) const { return 0; }
  // How many pictures make the best use of it at once; >= 1.
  virtual int preferred_batch() const = 0;
  // Fills every picture's result and runs the tasks beside. Throws kConfig for a picture that does
  // not fit the network, and kStopped.
  virtual void run(std::span<const Picture> pictures, const StopFlag& stop,
                   std::span<const Task> beside) = 0;
  // Makes ready for pictures of this size; throws kMemory where they cannot be worked on. What is
  // not made ready here is with the first of them.
  virtual void prepare(int, int) {}
  // What is held on a device of its own, and what running there took; from any thread.
  virtual DeviceUse device_use() const { return {}; }
  // What came up since the last call and a user should know, a sentence each.
  virtual std::vector<std::string> take_notes() { return {}; }
  // Bytes held for pictures of this size, beside the pictures.
  virtual std::size_t workspace_bytes(int width, int height) const = 0;
  // Where it runs: "cpu", or torch's name of a device.
  virtual std::string device() const { return "cpu"; }
  // The type it computes in; kAuto where it cannot say.
  virtual Precision precision() const { return Precision::kAuto; }
  // For reports: engine, precision, and what else decides the rounding.
  virtual std::string describe() const = 0;
  // What a user must know before the work.
  virtual std::vector<std::string> warnings() const { return {}; }
};

// Throws kConfig where a picture does not fit an engine's network, or is none.
void check_picture(const Engine& engine, const Picture& picture);
// Throws kConfig for a number of threads that no engine takes.
void check_threads(int threads);

}  // namespace streamvsr
