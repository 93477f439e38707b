// Pictures cut in pieces so that a network fits in its device's memory: docs/device-budget.md.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "model/device_engine.h"
#include "tile/planner.h"

namespace streamvsr {

struct TiledOptions {
  std::string cache_folder;  // where what is learned is kept; empty: nowhere
  int batch = 0;  // most pieces at a time; 0: one on the CPU, elsewhere up to four small ones
};

// Purpose: an Engine over a DeviceEngine that keeps to the device's limit: it plans how much of a
// picture is worked on at a time, and where memory runs out all the same, goes on with less and
// does the picture again. Thread-safety and ownership: as Engine. Determinism: as Engine while the
// plan stays; where another plan may round otherwise, describe() names it and a note tells of its
// change.
class TiledEngine final : public Engine {
 public:
  TiledEngine(std::unique_ptr<DeviceEngine> engine, TiledOptions options);

  int scale() const override { return engine_->scale(); }
  int planes() const override { return engine_->planes(); }
  double flop_per_pixel() const override { return engine_->flop_per_pixel(); }
  int condition_count() const override { return engine_->condition_count(); }
  bool recolours() const override { return engine_->recolours(); }
  bool finds_flow() const override { return engine_->finds_flow(); }
  void prepare_flow(int width, int height) override;
  void find_flow(const streamvsr_torch_flow& flow) override { engine_->find_flow(flow); }
  std::size_t flow_bytes(int width, int height) const override {
    return engine_->flow_bytes(width, height);
  }
  int preferred_batch() const override { return plan().batch; }
  void prepare(int width, int height) override;
  void run(std::span<const Picture> pictures, const StopFlag& stop,
           std::span<const Task> beside) override;
  std::size_t workspace_bytes(int width, int height) const override;
  std::string device() const override { return engine_->device(); }
  std::string describe() const override;
  std::vector<std::string> warnings() const override { return engine_->warnings(); }
  DeviceUse device_use() const override;
  std::vector<std::string> take_notes() override;

  // How pictures of the size that was last prepared are worked on.
  TilePlan plan() const;

 private:
  void run_alike(std::span<const Picture> pictures, const StopFlag& stop);
  void run_planned(std::span<const Picture> pictures, const TilePlan& plan, const StopFlag& stop);
  int most_at_a_time(int width, int height) const;
  void trying(const std::function<void()>& what) const;
  TilePlan choose(int width, int height);
  void shrink(const Error& failure);
  void use(const TilePlan& plan);
  void learn_rules();
  void measure();
  double room() const;
  void keep() const;
  std::string too_small() const;
  [[noreturn]] void cannot(int width, int height, const std::string& why) const;
  // Whether any plan gives the same values.
  bool exact() const { return engine_->alike_above().has_value(); }
  CutNeeds needs() const { return learned_.needs.value_or(CutNeeds{}); }

  std::unique_ptr<DeviceEngine> engine_;
  TiledOptions options_;
  std::string key_;
  Learned learned_;
  // The size at work, and the plans of all sizes so far: passes over one picture alternate.
  std::pair<int, int> size_{0, 0};
  std::map<std::pair<int, int>, TilePlan> plans_;
  std::size_t for_flow_ = 0;  // bytes, left free by the plans
  std::atomic<int> retries_{0};
  mutable Mutex mutex_;
  TilePlan plan_ GUARDED_BY(mutex_);  // of the size at work
  std::vector<std::string> notes_ GUARDED_BY(mutex_);
};

}  // namespace streamvsr
