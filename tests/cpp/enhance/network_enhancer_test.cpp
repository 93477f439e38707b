// Which plane goes where: the network's planes equal the engine's own result, the others zimg's,
// and the batch, the threads and the neighbours change nothing.
#include "enhance/network_enhancer.h"

#include <doctest/doctest.h>

#include "base/error.h"
#include "color/convert.h"
#include "model/network_file.h"
#include "model/rows.h"
#include "temporary_folder.h"

namespace streamvsr {
namespace {

using test::TemporaryFolder;
using testing::NetFile;

NetFile luma_net() {
  NetFile net({"frame", "codec_strength"});
  net.conv(8).prelu().conv(4, 3, 0.3F).shuffle(2);
  net.about["residual"] = "nearest";
  return net;
}
NetFile rgb_net() {
  NetFile net({"frame"}, true);
  net.conv(8).prelu().conv(12, 3, 0.3F).shuffle(2);
  net.about["residual"] = "nearest";
  return net;
}

Planes noise(const PlaneFormat& format, const unsigned seed) {
  Planes picture(format);
  std::mt19937 random(seed);
  const unsigned mask = (1U << format.depth) - 1;
  for (int p = 0; p < format.plane_count; ++p) {
    for (int y = 0; y < format.plane_height(p); ++y) {
      for (int x = 0; x < format.plane_width(p); ++x) {
        if (format.depth > 8) {
          picture.row<std::uint16_t>(p, y)[x] = static_cast<std::uint16_t>(random() & mask);
        } else {
          picture.row<std::uint8_t>(p, y)[x] = static_cast<std::uint8_t>(random() & mask);
        }
      }
    }
  }
  return picture;
}

bool same_plane(const Planes& a, const int pa, const Planes& b, const int pb) {
  const PlaneFormat& format = a.format();
  if (format.plane_width(pa) != b.format().plane_width(pb)) return false;
  if (format.plane_height(pa) != b.format().plane_height(pb)) return false;
  for (int y = 0; y < format.plane_height(pa); ++y) {
    if (std::memcmp(a.row<std::uint8_t>(pa, y), b.row<std::uint8_t>(pb, y),
                    static_cast<std::size_t>(format.plane_width(pa)) * format.bytes_per_sample()) !=
        0) {
      return false;
    }
  }
  return true;
}
bool same(const Planes& a, const Planes& b) {
  if (!(a.format() == b.format())) return false;
  for (int p = 0; p < a.format().plane_count; ++p) {
    if (!same_plane(a, p, b, p)) return false;
  }
  return true;
}

// The network alone over some planes of a picture.
Planes engine_alone(const std::string& path, const Planes& source, const std::vector<int>& planes,
                    const std::vector<float>& conditions, const int scale) {
  RowsEngine engine(read_network(path), {"", 1, Precision::kFp32, 0});
  PlaneFormat format = source.format();
  format.width *= scale;
  format.height *= scale;
  Planes result(format);
  Picture picture{
      source.format().width, source.format().height, source.format().depth, {}, {}, conditions};
  for (const int p : planes) {
    picture.source.push_back({source.data(p), source.stride(p)});
    picture.result.push_back({result.data(p), result.stride(p)});
  }
  engine.run(std::span(&picture, 1), StopFlag());
  return result;
}

std::unique_ptr<Enhancer> enhancer_of(const std::string& path, const int threads = 1,
                                      const int passes = 1) {
  EnhancerOptions options;
  options.network_path = path;
  options.threads = threads;
  options.precision = Precision::kFp32;
  options.passes = passes;
  return make_network_enhancer(options);
}
constexpr ColorDescription kColor{ColorDescription::kBt709, false, ChromaSiting::kTopLeft};
Planes resize(const Planes& picture, const PlaneFormat& target) {
  return convert(picture, kColor, target, kColor);
}
Planes enhance(Enhancer& enhancer, const Planes& source, const float strength = 0.3F) {
  const EnhanceInput input{&source, kColor, strength};
  return std::move(enhancer.run(std::span(&input, 1), StopFlag())[0]);
}

TEST_CASE("luma by the network, chroma and alpha by the resampler, in every format") {
  const TemporaryFolder folder;
  const std::string path = folder.write("net", luma_net().bytes());
  const auto enhancer = enhancer_of(path, 2);
  CHECK(enhancer->scale() == 2);
  CHECK(enhancer->preferred_batch() == 2);
  for (const PlaneFormat format :
       {PlaneFormat{33, 21, 3, 1, 1, 8, false}, PlaneFormat{33, 21, 4, 1, 0, 10, false},
        PlaneFormat{16, 9, 1, 0, 0, 16, false}, PlaneFormat{1, 1, 3, 1, 1, 8, false},
        PlaneFormat{12, 12, 3, 0, 0, 8, false}}) {
    const Planes source = noise(format, 4);
    const Planes result = enhance(*enhancer, source);
    CHECK(result.format() == enhancer->output_format(format));
    CHECK(same_plane(result, 0, engine_alone(path, source, {0}, {0.3F}, 2), 0));
    const Planes resampled = resize(source, result.format());
    for (int p = 1; p < format.plane_count; ++p) CHECK(same_plane(result, p, resampled, p));
  }
}

TEST_CASE("the codec strength reaches the network") {
  const TemporaryFolder folder;
  const auto enhancer = enhancer_of(folder.write("net", luma_net().bytes()));
  const Planes source = noise({20, 20, 1, 0, 0, 8, false}, 4);
  CHECK_FALSE(same(enhance(*enhancer, source, 0.0F), enhance(*enhancer, source, 0.8F)));
}

TEST_CASE("a luma network goes over each plane of an RGB picture") {
  const TemporaryFolder folder;
  const std::string path = folder.write("net", luma_net().bytes());
  const Planes source = noise({20, 14, 4, 0, 0, 8, true}, 4);
  const Planes result = enhance(*enhancer_of(path), source);
  for (const int p : {0, 1, 2}) {
    CHECK(same_plane(result, p, engine_alone(path, source, {p}, {0.3F}, 2), p));
  }
  CHECK(same_plane(result, 3, resize(source, result.format()), 3));
}

TEST_CASE("an RGB network takes R, G, B and gives them back in their planes") {
  const TemporaryFolder folder;
  const std::string path = folder.write("net", rgb_net().bytes());
  const auto enhancer = enhancer_of(path);
  const Planes source = noise({20, 14, 3, 0, 0, 8, true}, 4);
  const Planes expected = engine_alone(path, source, {2, 0, 1}, {}, 2);
  CHECK(same(enhance(*enhancer, source), expected));
}

TEST_CASE("an RGB network sees luma and chroma as RGB of 16 bits, twice where it runs twice") {
  const TemporaryFolder folder;
  const std::string path = folder.write("net", rgb_net().bytes());
  const ColorDescription rgb{ColorDescription::kRgb, true};
  for (const int passes : {1, 2}) {
    const auto enhancer = enhancer_of(path, 2, passes);
    for (const PlaneFormat format :
         {PlaneFormat{21, 15, 3, 1, 1, 8, false}, PlaneFormat{20, 14, 3, 0, 0, 10, false},
          PlaneFormat{20, 14, 1, 0, 0, 8, false}}) {
      const Planes source = noise(format, 5);
      Planes between = convert(source, kColor, {format.width, format.height, 3, 0, 0, 16, true},
                               rgb, Rounding::kNearest);
      for (int pass = 0; pass < passes; ++pass)
        between = engine_alone(path, between, {2, 0, 1}, {}, 2);
      const Planes expected =
          convert(between, rgb, enhancer->output_format(format), kColor, Rounding::kNearest);
      CHECK(same(enhance(*enhancer, source), expected));
      CHECK(enhancer->workspace_bytes(format) >= planes_bytes(between.format()));
    }
  }
  const auto enhancer = enhancer_of(path);
  const PlaneFormat format{20, 14, 3, 1, 1, 8, false};
  enhancer->check(format, kColor);
  enhancer->check(format, {});
  try {
    enhancer->check(format, {14});
    FAIL("it took ICtCp");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kConfig);
    CHECK(std::string(error.what()).find("choose a luma network") != std::string::npos);
  }
}

TEST_CASE("two passes are the network twice, the second told of no codec") {
  const TemporaryFolder folder;
  const std::string path = folder.write("net", luma_net().bytes());
  const auto once = enhancer_of(path);
  const auto twice = enhancer_of(path, 2, 2);
  CHECK(twice->scale() == 4);
  const Planes source = noise({17, 11, 3, 1, 1, 8, false}, 4);
  const Planes first = enhance(*once, source, 0.5F);
  const Planes second = enhance(*once, first, 0.0F);
  const Planes result = enhance(*twice, source, 0.5F);
  CHECK(same_plane(result, 0, second, 0));
  // Chroma goes there in one step.
  CHECK(same_plane(result, 1, resize(source, result.format()), 1));
  CHECK(twice->workspace_bytes(source.format()) > once->workspace_bytes(source.format()));
  CHECK_THROWS_AS(enhancer_of(path, 1, -1), Error);
  CHECK_THROWS_AS(enhancer_of(path, 1, 5), Error);
}

TEST_CASE("batches of mixed pictures, with any threads, give what each picture gives alone") {
  const TemporaryFolder folder;
  const std::string path = folder.write("net", luma_net().bytes());
  std::vector<Planes> sources;
  for (unsigned i = 0; i < 7; ++i) {
    sources.push_back(
        noise({30 + static_cast<int>(i % 3), 20, 3, 1, 1, i == 5 ? 10 : 8, false}, i));
  }
  std::vector<EnhanceInput> batch;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    batch.push_back({&sources[i], kColor, 0.1F * static_cast<float>(i)});
  }
  const auto alone = enhancer_of(path);
  for (const int threads : {1, 2, 4}) {
    const auto enhancer = enhancer_of(path, threads);
    const std::vector<Planes> results = enhancer->run(batch, StopFlag());
    REQUIRE(results.size() == batch.size());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      CHECK(same(results[i], enhance(*alone, sources[i], batch[i].codec_strength)));
    }
  }
}

TEST_CASE("a stop ends the work") {
  const TemporaryFolder folder;
  const auto enhancer = enhancer_of(folder.write("net", luma_net().bytes()), 2);
  const Planes source = noise({20, 20, 3, 1, 1, 8, false}, 4);
  const EnhanceInput input{&source};
  StopFlag stop;
  stop.request();
  CHECK_THROWS_AS(enhancer->run(std::span(&input, 1), stop), Error);
  CHECK(enhancer->run(std::span(&input, 1), StopFlag()).size() == 1);
}

TEST_CASE("the scale decides how many passes there are where nobody else does") {
  const TemporaryFolder folder;
  EnhancerOptions options;
  options.network_path = folder.write("net", luma_net().bytes());
  options.passes = 0;
  CHECK(make_network_enhancer(options)->scale() == 2);
  options.scale = 4;
  CHECK(make_network_enhancer(options)->scale() == 4);
  options.scale = 3;
  CHECK_THROWS_AS(make_network_enhancer(options), Error);
}

TEST_CASE("a device that the rows engine does not know is warned of, a precision refused") {
  const TemporaryFolder folder;
  EnhancerOptions options;
  options.network_path = folder.write("net", luma_net().bytes());
  CHECK(make_network_enhancer(options)->warnings().empty());
  options.device = "cuda";
  CHECK(make_network_enhancer(options)->warnings().size() == 1);
  options.precision = Precision::kFp16;
  CHECK_THROWS_AS(make_network_enhancer(options), Error);
}

TEST_CASE("a TorchScript archive without torch is refused by name") {
  const TemporaryFolder folder;
  EnhancerOptions options;
  options.network_path = folder.write("net.ts", "no archive");
  options.passes = 0;
  for (const char* const library : {"", "/nonexistent.so"}) {
    options.torch_path = library;
    try {
      make_network_enhancer(options);
      FAIL("it was taken");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kConfig);
      CHECK(std::string(error.what()).find("need torch") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace streamvsr
