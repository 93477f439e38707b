// The rows engine on its own loops, against the network computed layer by layer in double; and what
// must not change a single bit: threads, strips, batches, where in a picture a piece lies.
#include "model/rows.h"

#include <doctest/doctest.h>

#include <array>

#include "base/error.h"
#include "model/network_file.h"
#include "temporary_folder.h"

namespace streamvsr {
namespace {

using test::TemporaryFolder;
using testing::compute;
using testing::NetFile;
using testing::Stack;

// Planes of a picture, in 16-bit storage whatever the depth.
struct Codes {
  int planes = 1;
  int width = 0;
  int height = 0;
  int depth = 8;
  std::vector<std::uint16_t> values;

  Codes(const int p, const int w, const int h, const int d)
      : planes(p), width(w), height(h), depth(d), values(static_cast<std::size_t>(p) * w * h) {}
  std::uint16_t& at(const int p, const int y, const int x) {
    return values[(static_cast<std::size_t>(p) * height + y) * width + x];
  }
  std::uint16_t at(const int p, const int y, const int x) const {
    return values[(static_cast<std::size_t>(p) * height + y) * width + x];
  }
  bool operator==(const Codes&) const = default;
};

Codes noise(const int planes, const int width, const int height, const int depth,
            const unsigned seed) {
  Codes codes(planes, width, height, depth);
  std::mt19937 random(seed);
  for (auto& code : codes.values) code = static_cast<std::uint16_t>(random() & ((1U << depth) - 1));
  return codes;
}

// Packs for the engine, runs, unpacks. Planes get a pitch of their own, so that strides are used.
std::vector<Codes> run(RowsEngine& engine, const std::vector<Codes>& sources,
                       const std::vector<float>& conditions = {},
                       const StopFlag& stop = StopFlag()) {
  std::vector<std::vector<std::uint8_t>> memory;
  std::vector<Picture> pictures;
  const int scale = engine.scale();
  const int pad = 6;
  for (const Codes& source : sources) {
    const int bytes = source.depth > 8 ? 2 : 1;
    Picture picture;
    picture.width = source.width;
    picture.height = source.height;
    picture.depth = source.depth;
    picture.conditions = conditions;
    for (int p = 0; p < source.planes; ++p) {
      const std::ptrdiff_t stride = source.width * bytes + pad;
      memory.emplace_back(static_cast<std::size_t>(stride) * source.height);
      std::uint8_t* in = memory.back().data();
      for (int y = 0; y < source.height; ++y) {
        for (int x = 0; x < source.width; ++x) {
          const std::uint16_t code = source.at(p, y, x);
          std::memcpy(in + y * stride + x * bytes, &code, static_cast<std::size_t>(bytes));
        }
      }
      picture.source.push_back({in, stride});
      const std::ptrdiff_t wide = source.width * scale * bytes + pad;
      memory.emplace_back(static_cast<std::size_t>(wide) * source.height * scale, 0xee);
      picture.result.push_back({memory.back().data(), wide});
    }
    pictures.push_back(picture);
  }
  engine.run(pictures, stop);
  std::vector<Codes> results;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Codes& source = sources[i];
    const int bytes = source.depth > 8 ? 2 : 1;
    Codes result(source.planes, source.width * scale, source.height * scale, source.depth);
    for (int p = 0; p < source.planes; ++p) {
      const PlaneView& view = pictures[i].result[static_cast<std::size_t>(p)];
      for (int y = 0; y < result.height; ++y) {
        const std::uint8_t* row = view.data + y * view.stride;
        for (int x = 0; x < result.width; ++x) {
          std::memcpy(&result.at(p, y, x), row + x * bytes, static_cast<std::size_t>(bytes));
        }
        // Nothing is written beside the picture.
        for (int b = 0; b < pad; ++b) CHECK(row[result.width * bytes + b] == 0xee);
      }
    }
    results.push_back(std::move(result));
  }
  return results;
}

Network network(const NetFile& net) {
  const TemporaryFolder folder;
  return read_network(folder.write("net", net.bytes()));
}

// The share of samples that differ from the long computation; fails where one differs by more than
// a code.
double difference(const NetFile& net, const Codes& source, const std::vector<float>& conditions,
                  const Codes& result) {
  const double maximum = (1 << source.depth) - 1;
  Stack input(net.channels.front(), source.height, source.width);
  int channel = 0;
  std::size_t condition = 0;
  for (const std::string name : net.about["inputs"]) {
    const int count = name == "frame" ? source.planes : 1;
    for (int p = 0; p < count; ++p, ++channel) {
      for (int y = 0; y < source.height; ++y) {
        for (int x = 0; x < source.width; ++x) {
          input.at(channel, y, x) = name == "frame" ? source.at(p, y, x) / maximum
                                                    : static_cast<double>(conditions[condition]);
        }
      }
    }
    if (name != "frame") ++condition;
  }
  const Stack output = compute(net, input);
  const int scale = net.about["scale"];
  int different = 0;
  for (int p = 0; p < result.planes; ++p) {
    for (int y = 0; y < result.height; ++y) {
      for (int x = 0; x < result.width; ++x) {
        double v = output.at(p, y, x);
        if (net.about["residual"] == "nearest") v += source.at(p, y / scale, x / scale) / maximum;
        const double code = std::nearbyint(std::min(1.0, std::max(0.0, v)) * maximum);
        const double off = std::abs(code - result.at(p, y, x));
        REQUIRE(off <= 1);
        different += off > 0 ? 1 : 0;
      }
    }
  }
  return static_cast<double>(different) / static_cast<double>(result.values.size());
}

struct Case {
  std::string name;
  NetFile net;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const std::string& name, NetFile net, const bool residual) {
    net.about["residual"] = residual ? "nearest" : "none";
    all.push_back({name, std::move(net)});
  };
  const nlohmann::json relu = {{"op", "relu"}};
  const auto skip = [](const int from) { return nlohmann::json{{"op", "skip"}, {"from", from}}; };
  {
    NetFile net;
    add("luma x2", net.conv(16).prelu().conv(16).simple(relu).conv(4, 3, 0.3F).shuffle(2), true);
  }
  {
    NetFile net({"codec_strength", "frame"});
    add("condition first, odd channels",
        net.conv(5).prelu().conv(7).simple(relu).conv(9, 3, 0.3F).shuffle(3), true);
  }
  {
    NetFile net({"frame"}, true);
    add("rgb x2",
        net.conv(20).simple({{"op", "leaky_relu"}, {"slope", 0.2}}).conv(12, 3, 0.3F).shuffle(2),
        true);
  }
  {
    NetFile net;
    net.conv(16).simple(relu);                                   // 0 1
    net.conv(16).prelu().conv(16).simple(skip(1)).simple(relu);  // 2 3 4 5 6
    net.conv(16, 1).simple(skip(2)).conv(16).simple(skip(1));    // 7 8 9 10
    add("skips across and inside layers", net.conv(16, 3, 0.3F).shuffle(4), true);
  }
  {
    NetFile net({"frame", "codec_strength"});
    add("skip from the stack", net.conv(8).simple(relu).conv(2).simple(skip(-1)).conv(1, 1), false);
  }
  {
    NetFile net;
    add("begins with an activation", net.simple(relu).conv(4, 1).shuffle(2), false);
  }
  {
    NetFile net;
    add("skip at the end", net.conv(4).simple(relu).conv(4).simple(skip(1)).shuffle(2), false);
  }
  {
    NetFile net;
    add("slopes above 1",
        net.conv(16).simple({{"op", "leaky_relu"}, {"slope", 1.5}}).conv(4, 3, 0.3F).shuffle(2),
        true);
  }
  {
    NetFile net;
    add("one layer", net.conv(1), true);
  }
  {
    NetFile net;
    add("many channels", net.conv(70).simple(relu).conv(4, 3, 0.3F).shuffle(2), true);
  }
  return all;
}

TEST_CASE("fp32 equals the long computation, for every kind of network, size and depth") {
  for (const Case& item : cases()) {
    const Network net = network(item.net);
    RowsEngine engine(net, {"", 2, Precision::kFp32, 0});
    const std::vector<float> conditions(static_cast<std::size_t>(engine.condition_count()), 0.4F);
    for (const auto& size : {std::pair{1, 1}, {2, 1}, {1, 4}, {13, 9}, {37, 5}, {300, 3}}) {
      const int width = size.first;
      const int height = size.second;
      for (const int depth : {8, 10, 16}) {
        INFO(item.name, " ", width, "x", height, " depth ", depth);
        const Codes source = noise(engine.planes(), width, height, depth, 3);
        const Codes result = run(engine, {source}, conditions)[0];
        // At 16 bits a code is near a float's own step, so rounding goes the other way more often.
        CHECK(difference(item.net, source, conditions, result) <= (depth == 16 ? 0.2 : 0.01));
      }
    }
  }
}

TEST_CASE("threads, strips and batches change nothing") {
  for (const Case& item : cases()) {
    const Network net = network(item.net);
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      RowsEngine plain(net, {"", 1, precision, 1000});
      const std::vector<float> conditions(static_cast<std::size_t>(plain.condition_count()), 0.4F);
      std::vector<Codes> batch;
      for (unsigned i = 0; i < 5; ++i) {
        batch.push_back(noise(plain.planes(), 61 + 3 * static_cast<int>(i % 2), 11, 8, i));
      }
      std::vector<Codes> expected;
      for (const Codes& source : batch) expected.push_back(run(plain, {source}, conditions)[0]);
      for (const auto& cut : {std::pair{1, 7}, {2, 1}, {3, 20}, {4, 0}}) {
        const int threads = cut.first;
        const int strip = cut.second;
        INFO(item.name, " threads ", threads, " strip ", strip);
        RowsEngine engine(net, {"", threads, precision, strip});
        CHECK(run(engine, batch, conditions) == expected);
        CHECK(run(engine, {batch[1]}, conditions)[0] == expected[1]);
      }
    }
  }
}

TEST_CASE("a piece of a picture comes out the same wherever it lies") {
  for (const Case& item : cases()) {
    const Network net = network(item.net);
    const int reach = 6;  // no network above looks further
    for (const Precision precision : {Precision::kFp32, Precision::kBf16}) {
      RowsEngine engine(net, {"", 2, precision, 0});
      const std::vector<float> conditions(static_cast<std::size_t>(engine.condition_count()), 0.4F);
      const Codes piece = noise(engine.planes(), 21, 19, 8, 1);
      const Codes alone = run(engine, {piece}, conditions)[0];
      for (const auto& corner : {std::pair{1, 1}, {5, 2}, {16, 7}}) {
        const int left = corner.first;
        const int top = corner.second;
        Codes whole = noise(engine.planes(), 60, 40, 8, 2);
        for (int p = 0; p < piece.planes; ++p) {
          for (int y = 0; y < piece.height; ++y) {
            for (int x = 0; x < piece.width; ++x)
              whole.at(p, top + y, left + x) = piece.at(p, y, x);
          }
        }
        const Codes result = run(engine, {whole}, conditions)[0];
        const int scale = engine.scale();
        bool same = true;
        for (int p = 0; p < piece.planes; ++p) {
          for (int y = reach * scale; y < (piece.height - reach) * scale; ++y) {
            for (int x = reach * scale; x < (piece.width - reach) * scale; ++x) {
              same = same && result.at(p, top * scale + y, left * scale + x) == alone.at(p, y, x);
            }
          }
        }
        INFO(item.name, " at ", left, ",", top);
        CHECK(same);
      }
    }
  }
}

TEST_CASE("pictures taller than the windows creep are right in every row") {
  // Windows move back once in 128 rows; the rows around are what could go wrong.
  const Case item = cases()[0];
  RowsEngine engine(network(item.net), {"", 1, Precision::kFp32, 0});
  const Codes tall = noise(1, 5, 400, 8, 5);
  CHECK(difference(item.net, tall, {}, run(engine, {tall})[0]) <= 0.01);
}

TEST_CASE("work beside the network runs, also without pictures") {
  RowsEngine engine(network(cases()[0].net), {"", 2, Precision::kFp32, 0});
  std::vector<int> done(3);
  std::vector<RowsEngine::Task> beside;
  for (int& flag : done) beside.push_back([&flag](int) { flag = 1; });
  engine.run({}, StopFlag(), beside);
  CHECK(done == std::vector<int>{1, 1, 1});
}

TEST_CASE("a stop is noticed, and the engine works on afterwards") {
  RowsEngine engine(network(cases()[0].net), {"", 2, Precision::kFp32, 0});
  StopFlag stop;
  stop.request();
  const Codes source = noise(1, 50, 50, 8, 1);
  try {
    run(engine, {source}, {}, stop);
    FAIL("it ran on");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kStopped);
  }
  CHECK(run(engine, {source})[0].width == 100);
}

TEST_CASE("what cannot work is refused") {
  const Network net = network(cases()[0].net);
  CHECK_THROWS_AS(RowsEngine(net, {"", 0, Precision::kFp32, 0}), Error);
  CHECK_THROWS_AS(RowsEngine(net, {"", 1, Precision::kFp32, -1}), Error);
  CHECK_THROWS_AS(parse_precision("fp64"), Error);
  CHECK(parse_precision("bf16") == Precision::kBf16);
  RowsEngine engine(net, {"", 1, Precision::kFp32, 0});
  CHECK_THROWS_AS(run(engine, {noise(3, 4, 4, 8, 1)}), Error);
  CHECK_THROWS_AS(run(engine, {noise(1, 4, 4, 8, 1)}, {0.5F}), Error);
  CHECK_THROWS_AS(run(engine, {noise(1, 4, 4, 7, 1)}), Error);
  CHECK(parse_colors("tensor") == Colors::kTensor);
  CHECK_THROWS_AS(parse_colors("gpu"), Error);
  const LumaChroma colors;
  std::array<std::uint8_t, 64> plane{};
  const ConstPlaneView view{plane.data(), 4};
  Picture picture{4, 4, 8, {view, view, view}, {{plane.data(), 8}}, {}};
  picture.source_colors = &colors;
  CHECK_THROWS_AS(check_picture(engine, picture), Error);
}

TEST_CASE("a library that is not one leaves the engine's own loops") {
  RowsEngine engine(network(cases()[0].net), {"/nonexistent.so", 1, Precision::kAuto, 0});
  CHECK(engine.describe().find("fp32, own loops") != std::string::npos);
  CHECK(engine.workspace_bytes(100) > 0);
  CHECK(engine.strip_columns(50) == 50);
}

}  // namespace
}  // namespace streamvsr
