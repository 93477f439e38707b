// Network files, right ones and wrong ones: each wrong one is refused with a message that names the
// fault.
#include "model/network.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>

#include "base/error.h"
#include "model/network_file.h"
#include "temporary_folder.h"

namespace streamvsr {
namespace {

using nlohmann::json;
using test::TemporaryFolder;
using testing::NetFile;

NetFile good() {
  NetFile net({"frame", "codec_strength"});
  net.conv(8)
      .prelu()
      .conv(8)
      .simple({{"op", "leaky_relu"}, {"slope", 0.1}})
      .simple({{"op", "skip"}, {"from", 1}});
  net.conv(4).shuffle(2);
  return net;
}

// What reading says of these bytes; empty when they are accepted.
std::string refusal(const std::string& bytes) {
  const TemporaryFolder folder;
  const std::string path = folder.write("net.safetensors", bytes);
  try {
    read_network(path);
    return {};
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
    CHECK(error.path() == path);
    CHECK(std::string(error.what()).find(path) != std::string::npos);
    return error.what();
  }
}
std::string refusal(const std::function<void(NetFile&)>& spoil) {
  NetFile net = good();
  spoil(net);
  return refusal(net.bytes());
}
std::string refusal_of_header(const std::function<void(json&, std::string&)>& spoil) {
  const NetFile net = good();
  std::string body;
  json top = net.header(body);
  spoil(top, body);
  return refusal(NetFile::container(top, body));
}
bool says(const std::string& message, const std::string& part) {
  INFO(message);
  return message.find(part) != std::string::npos;
}

TEST_CASE("a good file is read as it was written") {
  const TemporaryFolder folder;
  const Network network = read_network(folder.write("a", good().bytes()));
  CHECK(network.name == "test");
  CHECK(network.scale == 2);
  CHECK(network.planes == 1);
  CHECK(network.input_channels() == 2);
  CHECK(network.condition_count() == 1);
  CHECK(network.layers.size() == 7);
  CHECK(network.licence == "CC0-1.0");
  CHECK(network.parameter_count() == 8 * 2 * 9 + 8 + 8 + 8 * 8 * 9 + 8 + 4 * 8 * 9 + 4);
  CHECK(network.flops_per_pixel() == 2.0 * 9 * (8 * 2 + 8 * 8 + 4 * 8));
}

TEST_CASE("half and bfloat16 tensors are widened exactly") {
  for (const std::string dtype : {"F16", "BF16"}) {
    NetFile net;
    net.conv(1, 1);
    std::string body;
    json top = net.header(body);
    // -1.5, the smallest half denormal, 0.25 ... as bit patterns
    const std::uint16_t weight = dtype == "F16" ? 0xbe00 : 0xbfc0;
    const std::uint16_t bias = dtype == "F16" ? 0x0001 : 0x3e80;
    body.assign(reinterpret_cast<const char*>(&bias), 2);
    body.append(reinterpret_cast<const char*>(&weight), 2);
    top["b0"] = {{"dtype", dtype}, {"shape", {1}}, {"data_offsets", {0, 2}}};
    top["w0"] = {{"dtype", dtype}, {"shape", {1, 1, 1, 1}}, {"data_offsets", {2, 4}}};
    const TemporaryFolder folder;
    const Network network = read_network(folder.write("a", NetFile::container(top, body)));
    CHECK(network.layers[0].weight.values[0] == -1.5F);
    CHECK(network.layers[0].bias.values[0] == (dtype == "F16" ? 0x1p-24F : 0.25F));
  }
}

TEST_CASE("a file that is not there is kNotFound, a folder is not a file") {
  try {
    read_network("/nonexistent/net.safetensors");
    FAIL("it was read");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kNotFound);
    CHECK(error.code() == ENOENT);
  }
  CHECK_THROWS_AS(read_network("/tmp"), Error);
}

TEST_CASE("every truncation is refused") {
  const std::string bytes = good().bytes();
  for (std::size_t length = 0; length < bytes.size(); length += 1 + length / 40) {
    CHECK_FALSE(refusal(bytes.substr(0, length)).empty());
  }
  CHECK_FALSE(refusal(bytes.substr(0, bytes.size() - 1)).empty());
  CHECK(says(refusal(bytes + "x"), "bytes follow"));
}

TEST_CASE("random damage is refused or read, and never worse") {
  const std::string bytes = good().bytes();
  std::mt19937 random(7);
  const TemporaryFolder folder;
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = bytes;
    const int hits = 1 + static_cast<int>(random() % 4);
    for (int h = 0; h < hits; ++h) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    try {
      read_network(folder.write("net", damaged));
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kModel);
    }
  }
}

TEST_CASE("a wrong container is refused") {
  CHECK(says(refusal(std::string()), "shorter than a header"));
  CHECK(says(refusal(std::string(8, '\xff')), "header says it is longer"));
  CHECK(says(refusal(std::string("\x02\0\0\0\0\0\0\0[]", 10)), "not a JSON object"));
  CHECK(says(refusal(std::string("\x02\0\0\0\0\0\0\0{]", 10)), "not a JSON object"));
  CHECK(says(refusal_of_header([](json& top, std::string&) { top.erase("__metadata__"); }),
             "no 'streamvsr' description"));
  CHECK(says(
      refusal_of_header([](json& top, std::string&) { top["__metadata__"]["streamvsr"] = "{"; }),
      "description is not a JSON object"));
  CHECK(says(refusal_of_header([](json& top, std::string&) { top["__metadata__"]["other"] = 1; }),
             "not a string"));
  CHECK(
      says(refusal_of_header([](json& top, std::string&) { top["w0"]["dtype"] = "F64"; }), "F64"));
  CHECK(says(refusal_of_header([](json& top, std::string&) { top["w0"]["shape"][0] = -1; }),
             "impossible shape"));
  CHECK(says(refusal_of_header(
                 [](json& top, std::string&) { top["w0"]["shape"] = {1 << 24, 1 << 24, 1 << 24}; }),
             "impossible shape"));
  CHECK(
      says(refusal_of_header([](json& top, std::string&) { top["w0"]["shape"][0] = 7; }), "bytes"));
  CHECK(says(refusal_of_header([](json& top, std::string& body) {
               top["w0"]["data_offsets"] = {body.size(), body.size() + 576};
             }),
             "beyond the end"));
  CHECK(says(refusal_of_header([](json& top, std::string&) { top["w0"]["data_offsets"] = {0}; }),
             "described by"));
  CHECK(says(refusal_of_header([](json& top, std::string&) {
               const auto begin = top["w0"]["data_offsets"][0].get<int>();
               top["p1"]["data_offsets"] = {begin, begin + 32};
             }),
             "overlap or leave holes"));
  CHECK(says(refusal_of_header([](json& top, std::string& body) {
               const float bad = std::numeric_limits<float>::infinity();
               std::memcpy(body.data() + top["b0"]["data_offsets"][0].get<int>(), &bad, 4);
             }),
             "not finite"));
}

TEST_CASE("a wrong description is refused, and the message says where") {
  CHECK(says(refusal([](NetFile& n) { n.about["format"] = 2; }), "format is 2"));
  CHECK(says(refusal([](NetFile& n) { n.about.erase("name"); }), "no 'name'"));
  CHECK(says(refusal([](NetFile& n) { n.about["scale"] = 5; }), "'scale'"));
  CHECK(says(refusal([](NetFile& n) { n.about["scale"] = 1.5; }), "'scale'"));
  CHECK(says(refusal([](NetFile& n) { n.about["scale"] = 18446744073709551615ULL; }), "'scale'"));
  CHECK(says(refusal([](NetFile& n) { n.about["scale"] = 3; }), "layers enlarge by 2"));
  CHECK(says(refusal([](NetFile& n) { n.about["planes"] = "cmyk"; }), "cmyk"));
  CHECK(says(refusal([](NetFile& n) { n.about["range"] = "video"; }), "range"));
  CHECK(says(refusal([](NetFile& n) { n.about["residual"] = "bicubic"; }), "bicubic"));
  CHECK(says(refusal([](NetFile& n) { n.about["inputs"] = json::array({"frame", "frame"}); }),
             "exactly once"));
  CHECK(says(refusal([](NetFile& n) { n.about["inputs"] = json::array({"codec_strength"}); }),
             "exactly once"));
  CHECK(says(refusal([](NetFile& n) { n.about["inputs"] = json::array({"frame", "depth"}); }),
             "depth"));
  CHECK(says(refusal([](NetFile& n) { n.about["inputs"] = "frame"; }), "'inputs'"));
  CHECK(says(refusal([](NetFile& n) { n.layers.clear(); }), "'layers'"));
  CHECK(says(refusal([](NetFile& n) { n.layers[1] = 3; }), "layer 1 is not"));
  CHECK(
      says(refusal([](NetFile& n) { n.layers[1]["op"] = "gelu"; }), "layer 1: unknown op 'gelu'"));
  CHECK(says(refusal([](NetFile& n) { n.layers[2]["weight"] = "nothing"; }),
             "layer 2 (conv3x3): tensor 'nothing' is missing"));
  CHECK(says(refusal([](NetFile& n) { n.layers[2].erase("bias"); }),
             "layer 2 (conv3x3) has no 'bias'"));
  CHECK(says(refusal([](NetFile& n) { n.layers[2]["weight"] = "w0"; }),
             "shape (8, 2, 3, 3), not (out, 8, 3, 3)"));
  CHECK(says(refusal([](NetFile& n) { n.layers[2]["op"] = "conv1x1"; }), "not (out, 8, 1, 1)"));
  CHECK(says(refusal([](NetFile& n) { n.layers[2]["bias"] = "b5"; }), "shape (4), not (8)"));
  CHECK(says(refusal([](NetFile& n) { n.layers[1]["weight"] = "b5"; }), "shape (4), not (8)"));
  CHECK(says(refusal([](NetFile& n) { n.layers[3]["slope"] = "steep"; }), "slope"));
  CHECK(says(refusal([](NetFile& n) { n.layers[3]["slope"] = 1e300; }), "slope"));
  CHECK(says(refusal([](NetFile& n) { n.layers[4]["from"] = 4; }), "layer 4 (skip)"));
  CHECK(says(refusal([](NetFile& n) { n.layers[4]["from"] = -2; }), "layer 4 (skip)"));
  CHECK(says(refusal([](NetFile& n) { n.layers[4]["from"] = -1; }), "adds 2 channels to 8"));
  CHECK(says(refusal([](NetFile& n) { n.layers[6]["factor"] = 3; }), "do not divide by 9"));
  CHECK(says(refusal([](NetFile& n) { n.simple({{"op", "relu"}}); }), "only come last"));
  CHECK(says(refusal([](NetFile& n) { n.about["planes"] = "rgb"; }), "layer 0"));
}

}  // namespace
}  // namespace streamvsr
