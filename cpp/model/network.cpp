#include "model/network.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace streamvsr {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxLayers = 1024;
constexpr std::size_t kMaxInputs = 16;
constexpr std::int64_t kMaxChannels = 4096;

// Purpose: turns one file's description into a Network, refusing whatever the format does not say.
// Thread-safety: used by one thread. Ownership: borrows the path and the tensors for its lifetime.
class Parser {
 public:
  Parser(const std::string& path, const SafeTensors& content) : path_(path), content_(content) {}

  Network parse() {
    const auto found = content_.metadata.find("streamvsr");
    if (found == content_.metadata.end()) {
      refuse(
          "its metadata has no 'streamvsr' description, so it is no network file of this program");
    }
    const json root = json::parse(found->second, nullptr, false);
    if (!root.is_object()) refuse("its description is not a JSON object");
    if (const auto format = integer(root, "format", "the description", 0, 1 << 20); format != 1) {
      refuse("its format is " + std::to_string(format) + " and this version reads format 1");
    }
    Network network;
    network.name = text(root, "name");
    network.scale = static_cast<int>(integer(root, "scale", "the description", 1, 4));
    network.planes = choice(root, "planes", "luma", "rgb") == 0 ? 1 : 3;
    if (text(root, "range") != "code") refuse("its range is not \"code\"");
    network.residual_nearest = choice(root, "residual", "nearest", "none") == 0;
    network.trained_on = text(root, "trained_on");
    network.licence = text(root, "licence");
    parse_inputs(root, network);
    parse_layers(root, network);
    return network;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorKind::kModel,
                "cannot use network file '" + path_ + "': " + what +
                    "; export the network again as docs/network-format.md says, or choose another",
                path_);
  }

  const json& need(const json& object, const char* key, const std::string& where) const {
    const auto found = object.find(key);
    if (found == object.end()) refuse(where + " has no '" + key + "'");
    return *found;
  }
  std::string text(const json& object, const char* key) const {
    const json& value = need(object, key, "the description");
    if (!value.is_string()) refuse(std::string("'") + key + "' is not a string");
    return value.get<std::string>();
  }
  std::int64_t integer(const json& object, const char* key, const std::string& where,
                       const std::int64_t low, const std::int64_t high) const {
    const json& value = need(object, key, where);
    // An unsigned value above the signed range would wrap, so it is refused before the comparison.
    const bool fits = value.is_number_integer() &&
                      !(value.is_number_unsigned() && value.get<std::uint64_t>() > INT32_MAX);
    if (!fits || value.get<std::int64_t>() < low || value.get<std::int64_t>() > high) {
      refuse(std::string("'") + key + "' of " + where + " is not an integer from " +
             std::to_string(low) + " to " + std::to_string(high));
    }
    return value.get<std::int64_t>();
  }
  int choice(const json& object, const char* key, const char* first, const char* second) const {
    const std::string value = text(object, key);
    if (value == first) return 0;
    if (value == second) return 1;
    refuse(std::string("'") + key + "' is '" + value + "', not '" + first + "' or '" + second +
           "'");
  }

  void parse_inputs(const json& root, Network& network) const {
    const json& inputs = need(root, "inputs", "the description");
    if (!inputs.is_array() || inputs.size() > kMaxInputs) refuse("'inputs' is not a short list");
    int frames = 0;
    for (const json& input : inputs) {
      if (input == "frame") {
        network.inputs.push_back(InputKind::kFrame);
        ++frames;
      } else if (input == "codec_strength") {
        network.inputs.push_back(InputKind::kCodecStrength);
      } else {
        refuse("input " + input.dump(-1, ' ', true, json::error_handler_t::replace) +
               " is not \"frame\" or \"codec_strength\"");
      }
    }
    if (frames != 1) refuse("'inputs' must hold \"frame\" exactly once");
  }

  void parse_layers(const json& root, Network& network) const {
    const json& layers = need(root, "layers", "the description");
    if (!layers.is_array() || layers.empty() || layers.size() > kMaxLayers) {
      refuse("'layers' is not a list of 1 to " + std::to_string(kMaxLayers) + " layers");
    }
    int channels = network.input_channels();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const Layer layer = parse_layer(layers[i], static_cast<int>(i), channels, network);
      if (layer.op == LayerOp::kPixelShuffle && i + 1 != layers.size()) {
        refuse("layer " + std::to_string(i) + ": pixel_shuffle may only come last");
      }
      channels = layer.channels;
      network.layers.push_back(layer);
    }
    const bool shuffled = network.layers.back().op == LayerOp::kPixelShuffle;
    const int factor = shuffled ? network.layers.back().factor : 1;
    if (factor != network.scale) {
      refuse("its scale is " + std::to_string(network.scale) + " but its layers enlarge by " +
             std::to_string(factor));
    }
    if (channels != network.planes) {
      refuse("its layers end with " + std::to_string(channels) + " planes, not " +
             std::to_string(network.planes));
    }
  }

  Layer parse_layer(const json& entry, const int index, const int channels,
                    const Network& network) const {
    const std::string where = "layer " + std::to_string(index);
    if (!entry.is_object()) refuse(where + " is not a JSON object");
    const json& op = need(entry, "op", where);
    if (!op.is_string()) refuse(where + ": 'op' is not a string");
    const auto name = op.get<std::string>();
    const std::string place = where + " (" + name + ")";
    Layer layer;
    layer.channels = channels;
    if (name == "conv3x3" || name == "conv1x1") {
      const std::int64_t size = name == "conv3x3" ? 3 : 1;
      layer.op = size == 3 ? LayerOp::kConv3x3 : LayerOp::kConv1x1;
      layer.weight = tensor(entry, "weight", place);
      const auto& shape = layer.weight.shape;
      if (shape.size() != 4 || shape[0] < 1 || shape[0] > kMaxChannels || shape[1] != channels ||
          shape[2] != size || shape[3] != size) {
        refuse(place + ": 'weight' has shape " + shape_text(shape) + ", not (out, " +
               std::to_string(channels) + ", " + std::to_string(size) + ", " +
               std::to_string(size) + ")");
      }
      layer.channels = static_cast<int>(shape[0]);
      layer.bias = tensor(entry, "bias", place);
      need_shape(layer.bias, {shape[0]}, "bias", place);
    } else if (name == "relu") {
      layer.op = LayerOp::kRelu;
    } else if (name == "leaky_relu") {
      layer.op = LayerOp::kLeakyRelu;
      const json& slope = need(entry, "slope", place);
      if (!slope.is_number()) refuse(place + ": 'slope' is not a number");
      layer.slope = slope.get<float>();
      if (!(layer.slope >= -1e6F && layer.slope <= 1e6F)) refuse(place + ": 'slope' is absurd");
    } else if (name == "prelu") {
      layer.op = LayerOp::kPrelu;
      layer.weight = tensor(entry, "weight", place);
      need_shape(layer.weight, {channels}, "weight", place);
    } else if (name == "skip") {
      layer.op = LayerOp::kSkip;
      layer.from = static_cast<int>(integer(entry, "from", place, -1, index - 1));
      const int other =
          layer.from < 0 ? network.input_channels() : network.layers[layer.from].channels;
      if (other != channels) {
        refuse(place + ": adds " + std::to_string(other) + " channels to " +
               std::to_string(channels));
      }
    } else if (name == "pixel_shuffle") {
      layer.op = LayerOp::kPixelShuffle;
      layer.factor = static_cast<int>(integer(entry, "factor", place, 1, 4));
      const int square = layer.factor * layer.factor;
      if (channels % square != 0) {
        refuse(place + ": " + std::to_string(channels) + " channels do not divide by " +
               std::to_string(square));
      }
      layer.channels = channels / square;
    } else {
      refuse(where + ": unknown op '" + name + "'");
    }
    return layer;
  }

  Tensor tensor(const json& entry, const char* key, const std::string& place) const {
    const json& name = need(entry, key, place);
    if (!name.is_string()) refuse(place + ": '" + key + "' is not a tensor's name");
    const auto found = content_.tensors.find(name.get<std::string>());
    if (found == content_.tensors.end()) {
      refuse(place + ": tensor '" + name.get<std::string>() + "' is missing");
    }
    return found->second;
  }
  void need_shape(const Tensor& tensor, const std::vector<std::int64_t>& shape, const char* key,
                  const std::string& place) const {
    if (tensor.shape == shape) return;
    refuse(place + ": '" + key + "' has shape " + shape_text(tensor.shape) + ", not " +
           shape_text(shape));
  }

  const std::string& path_;
  const SafeTensors& content_;
};

}  // namespace

int Network::input_channels() const { return planes + condition_count(); }

int Network::condition_count() const {
  int count = 0;
  for (const InputKind kind : inputs) count += kind == InputKind::kFrame ? 0 : 1;
  return count;
}

std::int64_t Network::parameter_count() const {
  std::size_t count = 0;
  for (const Layer& layer : layers) {
    count += layer.weight.values.size() + layer.bias.values.size();
  }
  return static_cast<std::int64_t>(count);
}

double Network::flops_per_pixel() const {
  double flops = 0;
  for (const Layer& layer : layers) {
    if (layer.op == LayerOp::kConv3x3 || layer.op == LayerOp::kConv1x1) {
      flops += 2.0 * static_cast<double>(layer.weight.values.size());
    }
  }
  return flops;
}

Network read_network(const std::string& path) {
  const SafeTensors content = read_safetensors(path);
  return Parser(path, content).parse();
}

}  // namespace streamvsr
