// Network files made by tests, and the network computed the long way round.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace streamvsr::testing {

struct RawTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

// A network as a test builds it; every part may be made wrong before bytes().
struct NetFile {
  nlohmann::json about = {{"format", 1},
                          {"name", "test"},
                          {"scale", 1},
                          {"planes", "luma"},
                          {"range", "code"},
                          {"residual", "none"},
                          {"trained_on", "nothing"},
                          {"licence", "CC0-1.0"}};
  nlohmann::json layers = nlohmann::json::array();
  std::map<std::string, RawTensor> tensors;
  std::vector<int> channels;  // of the stack and of every layer
  std::mt19937 random{1};

  explicit NetFile(const std::vector<std::string>& inputs = {"frame"}, const bool rgb = false) {
    about["inputs"] = inputs;
    if (rgb) about["planes"] = "rgb";
    channels.push_back(static_cast<int>(inputs.size()) + (rgb ? 2 : 0));
  }

  RawTensor normal(const std::vector<std::int64_t>& shape, const float gain) {
    std::int64_t count = 1;
    for (const auto size : shape) count *= size;
    RawTensor tensor{shape, {}};
    std::normal_distribution<float> distribution(0.0F, gain);
    for (std::int64_t i = 0; i < count; ++i) tensor.values.push_back(distribution(random));
    return tensor;
  }
  NetFile& conv(const int out, const int size = 3, const float gain = 1.0F) {
    const std::string n = std::to_string(layers.size());
    const int in = channels.back();
    tensors["w" + n] =
        normal({out, in, size, size}, gain / std::sqrt(static_cast<float>(in * size * size)));
    tensors["b" + n] = normal({out}, 0.1F * gain);
    layers.push_back(
        {{"op", size == 3 ? "conv3x3" : "conv1x1"}, {"weight", "w" + n}, {"bias", "b" + n}});
    channels.push_back(out);
    return *this;
  }
  NetFile& simple(const nlohmann::json& layer) {
    layers.push_back(layer);
    channels.push_back(channels.back());
    return *this;
  }
  NetFile& prelu() {
    const std::string n = "p" + std::to_string(layers.size());
    tensors[n] = normal({channels.back()}, 0.2F);
    return simple({{"op", "prelu"}, {"weight", n}});
  }
  NetFile& shuffle(const int factor) {
    layers.push_back({{"op", "pixel_shuffle"}, {"factor", factor}});
    about["scale"] = factor;
    channels.push_back(channels.back() / (factor * factor));
    return *this;
  }

  static std::string container(const nlohmann::json& header, const std::string& body) {
    const std::string text = header.dump();
    const std::uint64_t length = text.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, 8);
    return bytes + text + body;
  }
  nlohmann::json header(std::string& body) const {
    nlohmann::json top;
    nlohmann::json whole = about;
    whole["layers"] = layers;
    top["__metadata__"] = {{"streamvsr", whole.dump()}};
    for (const auto& [name, tensor] : tensors) {
      const std::size_t begin = body.size();
      body.append(reinterpret_cast<const char*>(tensor.values.data()),
                  tensor.values.size() * sizeof(float));
      top[name] = {
          {"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, body.size()}}};
    }
    return top;
  }
  std::string bytes() const {
    std::string body;
    const nlohmann::json top = header(body);
    return container(top, body);
  }
};

// A picture of numbers: channels x height x width.
struct Stack {
  int channels = 0;
  int height = 0;
  int width = 0;
  std::vector<double> values;

  Stack(const int c, const int h, const int w)
      : channels(c), height(h), width(w), values(static_cast<std::size_t>(c) * h * w) {}
  double& at(const int c, const int y, const int x) {
    return values[(static_cast<std::size_t>(c) * height + y) * width + x];
  }
  double at(const int c, const int y, const int x) const {
    return values[(static_cast<std::size_t>(c) * height + y) * width + x];
  }
};

// Layer by layer over the whole picture in double: shares nothing with the engine but the format's
// text.
inline Stack compute(const NetFile& net, const Stack& input) {
  std::vector<Stack> outputs{input};
  for (const auto& layer : net.layers) {
    const Stack& in = outputs.back();
    const std::string op = layer["op"];
    if (op.starts_with("conv")) {
      const RawTensor& weight = net.tensors.at(layer["weight"]);
      const RawTensor& bias = net.tensors.at(layer["bias"]);
      const int size = op == "conv3x3" ? 3 : 1;
      Stack out(static_cast<int>(weight.shape[0]), in.height, in.width);
      for (int o = 0; o < out.channels; ++o) {
        for (int y = 0; y < in.height; ++y) {
          for (int x = 0; x < in.width; ++x) {
            double sum = bias.values[static_cast<std::size_t>(o)];
            for (int c = 0; c < in.channels; ++c) {
              for (int i = 0; i < size; ++i) {
                for (int j = 0; j < size; ++j) {
                  const int yy = y + i - size / 2;
                  const int xx = x + j - size / 2;
                  if (yy < 0 || yy >= in.height || xx < 0 || xx >= in.width) continue;
                  sum +=
                      in.at(c, yy, xx) * static_cast<double>(weight.values[static_cast<std::size_t>(
                                             ((o * in.channels + c) * size + i) * size + j)]);
                }
              }
            }
            out.at(o, y, x) = sum;
          }
        }
      }
      outputs.push_back(std::move(out));
      continue;
    }
    if (op == "pixel_shuffle") {
      const int r = layer["factor"];
      Stack out(in.channels / (r * r), in.height * r, in.width * r);
      for (int c = 0; c < out.channels; ++c) {
        for (int y = 0; y < out.height; ++y) {
          for (int x = 0; x < out.width; ++x) {
            out.at(c, y, x) = in.at(c * r * r + y % r * r + x % r, y / r, x / r);
          }
        }
      }
      outputs.push_back(std::move(out));
      continue;
    }
    Stack out = in;
    const std::size_t area = static_cast<std::size_t>(in.height) * in.width;
    for (std::size_t i = 0; i < out.values.size(); ++i) {
      double& v = out.values[i];
      if (op == "relu") v = v > 0 ? v : 0;
      if (op == "leaky_relu") v = v > 0 ? v : v * layer["slope"].get<double>();
      if (op == "prelu")
        v = v > 0 ? v : v * static_cast<double>(net.tensors.at(layer["weight"]).values[i / area]);
      if (op == "skip")
        v += outputs[static_cast<std::size_t>(layer["from"].get<int>() + 1)].values[i];
    }
    outputs.push_back(std::move(out));
  }
  return outputs.back();
}

}  // namespace streamvsr::testing
