#include "enhance/tiled_engine.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "color/sums.h"
#include "tile/memory_cache.h"

namespace streamvsr {

namespace {

// Pictures that memory is measured on. Larger than what is rounded otherwise, so that the network
// takes the ways it takes later.
constexpr std::array<std::pair<int, int>, 2> kTrials = {{{160, 160}, {256, 176}}};
// Pictures that do not fill an accelerator alone go together, up to so many samples.
constexpr std::int64_t kEnoughSamples = std::int64_t{1} << 19;
constexpr std::int64_t kMostAtATime = 4;
constexpr double kMargin = 1.05;  // on what was measured

std::string mib(const double bytes) {
  return std::to_string(static_cast<long long>(std::ceil(bytes / 1048576.0)));
}

std::string size_text(const int width, const int height) {
  return std::to_string(width) + "x" + std::to_string(height);
}

std::string plan_text(const TilePlan& plan) {
  return size_text(plan.grid.columns, plan.grid.rows) + " piece(s), " + std::to_string(plan.batch) +
         " at a time";
}

// A picture's planes without content, for trials. Where the engine recolours, they are luma and
// chroma of 4:2:0 in two bytes a sample, which takes the most memory.
struct Blank {
  Blank(const Engine& engine, const int width, const int height)
      : bytes(engine.recolours() ? 2 : 1),
        source(static_cast<std::size_t>(width) * height * bytes),
        result(source.size() * engine.scale() * engine.scale()) {
    picture.width = width;
    picture.height = height;
    for (int p = 0; p < engine.planes(); ++p) {
      picture.source.push_back({source.data(), width * bytes});
      picture.result.push_back({result.data(), width * bytes * engine.scale()});
    }
    picture.conditions.assign(static_cast<std::size_t>(engine.condition_count()), 0.0F);
    if (!engine.recolours()) return;
    const ColorDescription color{ColorDescription::kBt709};
    PlaneFormat format{width, height};
    format.depth = 10;
    to_rgb = sums_to_rgb(format, color);
    format.width *= engine.scale();
    format.height *= engine.scale();
    from_rgb = sums_from_rgb(format, color);
    picture.source_colors = &to_rgb;
    picture.result_colors = &from_rgb;
  }
  Blank(const Blank&) = delete;
  Blank& operator=(const Blank&) = delete;
  std::ptrdiff_t bytes;
  std::vector<std::uint8_t> source;
  std::vector<std::uint8_t> result;
  LumaChroma to_rgb, from_rgb;
  PiecePicture picture;
};

bool alike(const Picture& a, const Picture& b) {
  return a.width == b.width && a.height == b.height && a.depth == b.depth &&
         a.source_colors == b.source_colors && a.result_colors == b.result_colors;
}

PiecePicture piece_of(const Picture& picture, const Piece& piece) {
  PiecePicture part;
  static_cast<Picture&>(part) = picture;
  part.width = piece.width;
  part.height = piece.height;
  part.x = piece.x;
  part.y = piece.y;
  part.left = piece.left;
  part.top = piece.top;
  part.right = piece.right;
  part.bottom = piece.bottom;
  return part;
}

}  // namespace

TiledEngine::TiledEngine(std::unique_ptr<DeviceEngine> engine, TiledOptions options)
    : engine_(std::move(engine)),
      options_(std::move(options)),
      key_(engine_->describe() + ", " + engine_->fingerprint()) {
  if (const auto known = recall(options_.cache_folder, key_)) learned_ = *known;
}

void TiledEngine::keep() const { remember(options_.cache_folder, key_, learned_); }

// What the network, the reserve and the search for motion leave of the limit.
double TiledEngine::room() const {
  const DeviceMemory memory = engine_->memory();
  const std::size_t taken = memory.held + for_flow_;
  return memory.limit > taken ? static_cast<double>(memory.limit - taken) : 0.0;
}

void TiledEngine::prepare_flow(const int width, const int height) {
  const std::size_t bytes = engine_->flow_bytes(width, height);
  if (bytes == for_flow_) return;
  const DeviceMemory memory = engine_->memory();
  if (memory.held + bytes > memory.limit)
    throw Error(ErrorKind::kMemory,
                "the motion between pictures of " + size_text(width, height) +
                    " cannot be found in max_vram_mb=" + mib(static_cast<double>(memory.limit)) +
                    "; with the network it needs about " +
                    mib(static_cast<double>(memory.held + bytes)) +
                    " MiB: raise max_vram_mb, or leave temporal_window and mask_motion out");
  for_flow_ = bytes;
}

void TiledEngine::cannot(const int width, const int height, const std::string& why) const {
  const DeviceMemory memory = engine_->memory();
  std::string need;
  if (learned_.model.known()) {
    const double samples = learned_.needs
                               ? static_cast<double>(smallest_piece(width, height, needs()))
                               : static_cast<double>(width) * height;
    need = "; it needs about " +
           mib(static_cast<double>(memory.held) + learned_.model.bytes(samples)) + " MiB";
  }
  throw Error(ErrorKind::kMemory,
              "a picture of " + size_text(width, height) +
                  " does not fit in max_vram_mb=" + mib(static_cast<double>(memory.limit)) + need +
                  ": " + why + "; raise max_vram_mb, or choose a smaller network");
}

void TiledEngine::learn_rules() {
  if (learned_.needs || !learned_.why_not.empty()) return;
  const CutRules rules = engine_->cut_rules();
  learned_.why_not = rules.why_not;
  if (rules.why_not.empty())
    learned_.needs =
        CutNeeds{rules.halo, rules.align, engine_->alike_above().value_or(0) / engine_->planes()};
  keep();
}

void TiledEngine::measure() {
  if (learned_.model.known()) return;
  std::vector<Measured> all;
  for (const auto& [width, height] : kTrials) {
    Blank blank(*engine_, width, height);
    engine_->take_peak();
    const double held = static_cast<double>(engine_->memory().held);
    try {
      engine_->run_pieces(std::span(&blank.picture, 1));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kMemory || all.empty()) throw;
      break;  // one measurement has to do
    }
    const double took = static_cast<double>(engine_->take_peak()) - held;
    all.push_back({static_cast<double>(width) * height, std::max(1.0, took) * kMargin});
  }
  learned_.model = fit(all);
  keep();
}

void TiledEngine::prepare(const int width, const int height) {
  if (size_ == std::pair(width, height)) return;
  const auto known = plans_.find({width, height});
  const TilePlan plan = known != plans_.end() ? known->second : choose(width, height);
  size_ = {width, height};
  use(plan);
}

void TiledEngine::use(const TilePlan& plan) {
  plans_[size_] = plan;
  const Lock lock(mutex_);
  plan_ = plan;
}

// Runs what tries the network on pictures of its own.
void TiledEngine::trying(const std::function<void()>& what) const {
  try {
    what();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kMemory) throw;
    throw Error(ErrorKind::kMemory,
                "max_vram_mb=" + mib(static_cast<double>(engine_->memory().limit)) +
                    " is too little even for trying the network on small pictures: raise it, or "
                    "choose a smaller network (" +
                    error.what() + ")");
  }
}

TilePlan TiledEngine::choose(const int width, const int height) {
  const auto [trial_width, trial_height] = kTrials.back();
  const bool large = std::int64_t{width} * height > std::int64_t{trial_width} * trial_height;
  // What is no larger than a trial is a trial itself.
  if (!large && learned_.failed_samples == 0) return {{1, 1}, most_at_a_time(width, height)};
  trying([&] {
    if (large) measure();
    if (!fits(learned_, static_cast<double>(width) * height, room())) learn_rules();
  });
  const auto plan = choose_plan(width, height, learned_, room(), most_at_a_time(width, height));
  if (!plan) cannot(width, height, too_small());
  return *plan;
}

int TiledEngine::most_at_a_time(const int width, const int height) const {
  if (options_.batch > 0) return options_.batch;
  if (engine_->on_cpu()) return 1;
  const std::int64_t samples = std::int64_t{width} * height;
  return static_cast<int>(std::clamp<std::int64_t>(kEnoughSamples / samples, 1, kMostAtATime));
}

// Why less at a time is out of reach.
std::string TiledEngine::too_small() const {
  return learned_.why_not.empty() ? "it is cut in the smallest pieces already"
                                  : "it cannot be cut, since " + learned_.why_not;
}

void TiledEngine::run(const std::span<const Picture> pictures, const StopFlag& stop,
                      const std::span<const Task> beside) {
  for (const Picture& picture : pictures) check_picture(*this, picture);
  for (std::size_t begin = 0; begin < pictures.size();) {
    std::size_t end = begin;
    while (end < pictures.size() && alike(pictures[end], pictures[begin])) ++end;
    run_alike(pictures.subspan(begin, end - begin), stop);
    begin = end;
  }
  engine_->run({}, stop, beside);
}

void TiledEngine::run_alike(const std::span<const Picture> pictures, const StopFlag& stop) {
  prepare(pictures.front().width, pictures.front().height);
  while (true) {
    try {
      return run_planned(pictures, plan(), stop);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kMemory) throw;
      shrink(error);
    }
  }
}

void TiledEngine::run_planned(const std::span<const Picture> pictures, const TilePlan& plan,
                              const StopFlag& stop) {
  std::vector<PiecePicture> all;
  for (const Picture& picture : pictures)
    for (const Piece& piece : cut(picture.width, picture.height, plan.grid, needs()))
      all.push_back(piece_of(picture, piece));
  const auto most = static_cast<std::size_t>(plan.batch);
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin;
    while (end < all.size() && end - begin < most && alike(all[end], all[begin])) ++end;
    std::vector<PiecePicture> batch(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                    all.begin() + static_cast<std::ptrdiff_t>(end));
    // Where a piece may be rounded otherwise in a batch of another size, all batches have one.
    if (!exact()) batch.resize(most, batch.back());
    stop.check();
    engine_->run_pieces(batch);
    begin = end;
  }
}

// After memory ran out: the next smaller plan, remembered so that the next run begins with it.
void TiledEngine::shrink(const Error& failure) {
  const auto [width, height] = size_;
  const TilePlan before = plan();
  retries_.fetch_add(1);
  const double samples =
      static_cast<double>(largest_piece(width, height, before.grid, needs())) * before.batch;
  learned_.failed_samples = samples;
  learned_.failed_bytes = room();
  trying([&] { learn_rules(); });
  keep();
  const auto next = learned_.needs ? smaller(width, height, before, needs()) : std::nullopt;
  if (!next) cannot(width, height, too_small() + " (" + failure.what() + ")");
  use(*next);
  const Lock lock(mutex_);
  notes_.push_back("the device's memory ran out: from now on a picture is worked on in " +
                   plan_text(*next) + ", not in " + plan_text(before) +
                   (exact() ? "; their values stay the same"
                            : "; values may differ by one code from those of a run with "
                              "enough memory"));
}

std::size_t TiledEngine::workspace_bytes(const int width, const int height) const {
  return std::min(engine_->workspace_bytes(width, height), engine_->memory().limit);
}

std::string TiledEngine::describe() const {
  const TilePlan plan = this->plan();
  if (exact() || plan == TilePlan{}) return engine_->describe();
  return engine_->describe() + ", in " + plan_text(plan);
}

DeviceUse TiledEngine::device_use() const { return {engine_->memory(), retries_.load()}; }

std::vector<std::string> TiledEngine::take_notes() {
  const Lock lock(mutex_);
  return std::exchange(notes_, {});
}

TilePlan TiledEngine::plan() const {
  const Lock lock(mutex_);
  return plan_;
}

}  // namespace streamvsr
