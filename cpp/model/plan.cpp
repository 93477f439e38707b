#include "model/plan.h"

#include <algorithm>

namespace streamvsr {

namespace {

int round_up(const int n, const int to) { return (n + to - 1) / to * to; }

// A convolution that changes nothing, for networks that begin with something else.
Layer identity(const int channels) {
  Layer layer;
  layer.op = LayerOp::kConv1x1;
  layer.channels = channels;
  layer.weight.shape = {channels, channels, 1, 1};
  layer.weight.values.assign(static_cast<std::size_t>(channels) * channels, 0.0F);
  for (int c = 0; c < channels; ++c) layer.weight.values[c * channels + c] = 1.0F;
  layer.bias.values.assign(channels, 0.0F);
  return layer;
}

Stage make_stage(const Layer& layer, const int in_channels, const int in_pitch) {
  Stage stage;
  stage.kernel = layer.op == LayerOp::kConv3x3 ? 3 : 1;
  stage.in_pitch = in_pitch;
  stage.out_channels = layer.channels;
  stage.pitch = stage.columns = round_up(layer.channels, 16);
  const int size = stage.kernel;
  stage.k = size * size * in_pitch;
  stage.weight.assign(static_cast<std::size_t>(stage.k) * stage.columns, 0.0F);
  for (int out = 0; out < layer.channels; ++out) {
    for (int in = 0; in < in_channels; ++in) {
      for (int y = 0; y < size; ++y) {
        for (int x = 0; x < size; ++x) {
          const int row = (x * size + y) * in_pitch + in;
          stage.weight[static_cast<std::size_t>(row) * stage.columns + out] =
              layer.weight
                  .values[((static_cast<std::size_t>(out) * in_channels + in) * size + y) * size +
                          x];
        }
      }
    }
  }
  stage.bias.assign(stage.pitch, 0.0F);
  std::copy(layer.bias.values.begin(), layer.bias.values.end(), stage.bias.begin());
  return stage;
}

// Three taps of few outputs side by side, where that takes fewer 16-column blocks than one tap
// after another.
void fold(Stage& stage) {
  const int outs = stage.out_channels;
  if (stage.kernel != 3 || round_up(3 * outs, 16) >= 3 * stage.columns) return;
  const int rows = stage.k / 3;
  const int columns = 3 * outs;
  std::vector<float> weight(static_cast<std::size_t>(rows) * columns);
  for (int tap = 0; tap < 3; ++tap) {
    for (int row = 0; row < rows; ++row) {
      for (int out = 0; out < outs; ++out) {
        weight[static_cast<std::size_t>(row) * columns + tap * outs + out] =
            stage.weight[static_cast<std::size_t>(tap * rows + row) * stage.columns + out];
      }
    }
  }
  stage.folded = true;
  stage.k = rows;
  stage.columns = columns;
  stage.weight = std::move(weight);
  stage.pitch = outs;
  stage.bias.resize(outs);
}

// Where in the plan a layer's output arises: behind step `step` of a stage, or in the input stack.
struct Place {
  int stage = -1;
  int step = 0;
};

// Purpose: walks the layers once and collects stages, steps and rings.
class Planner {
 public:
  explicit Planner(const Network& network) : network_(network) {
    plan_.inputs = network.inputs;
    plan_.planes = network.planes;
    plan_.scale = network.scale;
    plan_.residual = network.residual_nearest;
  }

  Plan make() {
    channels_ = pitch_ = network_.input_channels();
    for (const Layer& layer : network_.layers) {
      add(layer);
      places_.push_back({last(), static_cast<int>(steps_at(last()))});
    }
    if (plan_.stages.empty()) add(identity(channels_));
    fold(plan_.stages.back());
    set_halos();
    join_skips();
    fit_slopes();
    return std::move(plan_);
  }

 private:
  int last() const { return static_cast<int>(plan_.stages.size()) - 1; }
  std::size_t steps_at(const int stage) const {
    return stage < 0 ? 0 : plan_.stages[stage].steps.size();
  }

  void add(const Layer& layer) {
    const bool is_conv = layer.op == LayerOp::kConv3x3 || layer.op == LayerOp::kConv1x1;
    if (is_conv) {
      plan_.stages.push_back(make_stage(layer, channels_, pitch_));
      channels_ = layer.channels;
      pitch_ = plan_.stages.back().pitch;
      return;
    }
    if (layer.op == LayerOp::kPixelShuffle) return;  // done while the result is written
    if (plan_.stages.empty()) add(identity(channels_));
    Step step;
    if (layer.op == LayerOp::kLeakyRelu || layer.op == LayerOp::kPrelu) {
      step.kind = Step::Kind::kSlope;
      step.slope = layer.op == LayerOp::kPrelu ? layer.weight.values
                                               : std::vector<float>(channels_, layer.slope);
      step.gentle = std::all_of(step.slope.begin(), step.slope.end(),
                                [](const float slope) { return slope <= 1.0F; });
    } else if (layer.op == LayerOp::kSkip) {
      step.kind = Step::Kind::kAdd;
      skips_.push_back({layer.from, {last(), static_cast<int>(steps_at(last()))}});
    }
    plan_.stages.back().steps.push_back(std::move(step));
  }

  void set_halos() {
    int halo = 0;
    for (int s = last(); s >= 0; --s) {
      plan_.stages[s].halo = halo;
      halo += plan_.stages[s].kernel == 3 ? 1 : 0;
    }
    plan_.input_halo = halo;
  }

  // Gives every skip a ring. Keeping steps are put in from the back, so that positions found before
  // stay true.
  void join_skips() {
    struct Keep {
      Place at;
      int ring;
    };
    std::vector<Keep> keeps;
    for (const Skip& skip : skips_) {
      const Place source = skip.from < 0 ? Place{} : places_[skip.from];
      const Stage& reader = plan_.stages[skip.at.stage];
      const int source_halo = source.stage < 0 ? plan_.input_halo : plan_.stages[source.stage].halo;
      const int ring = static_cast<int>(plan_.rings.size());
      // A convolution of 3 rows runs one row behind its input: that many rows pass before the
      // addition.
      plan_.rings.push_back({reader.out_channels, source_halo - reader.halo + 1, reader.halo});
      plan_.stages[skip.at.stage].steps[skip.at.step].ring = ring;
      if (source.stage < 0) {
        plan_.input_rings.push_back(ring);
      } else {
        keeps.push_back({source, ring});
      }
    }
    std::stable_sort(keeps.begin(), keeps.end(),
                     [](const Keep& a, const Keep& b) { return a.at.step > b.at.step; });
    for (const Keep& keep : keeps) {
      Step step;
      step.kind = Step::Kind::kKeep;
      step.ring = keep.ring;
      auto& steps = plan_.stages[keep.at.stage].steps;
      steps.insert(steps.begin() + keep.at.step, step);
    }
  }

  void fit_slopes() {
    for (Stage& stage : plan_.stages) {
      for (Step& step : stage.steps) {
        if (step.kind == Step::Kind::kSlope) step.slope.resize(stage.pitch, 0.0F);
      }
    }
  }

  struct Skip {
    int from = -1;
    Place at;
  };
  const Network& network_;
  Plan plan_;
  std::vector<Place> places_;  // of every layer's output
  std::vector<Skip> skips_;
  int channels_ = 0;
  int pitch_ = 0;
};

}  // namespace

Plan make_plan(const Network& network) { return Planner(network).make(); }

}  // namespace streamvsr
