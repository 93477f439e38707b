#include "media/picture.h"

#include <doctest/doctest.h>

namespace streamvsr {
namespace {

TEST_CASE("P010's codes are those of ten planar bits") {
  const FramePtr frame = make_frame();
  frame->format = AV_PIX_FMT_P010LE;
  frame->width = 34;
  frame->height = 18;
  REQUIRE(av_frame_get_buffer(frame.get(), 0) >= 0);
  const auto row = [&](const int plane, const int y) {
    return reinterpret_cast<std::uint16_t*>(frame->data[plane] + y * frame->linesize[plane]);
  };
  const auto code = [](const int plane, const int x, const int y) {
    return (29 * x + 53 * y + 301 * plane) % 1024;
  };
  for (int y = 0; y < 18; ++y)
    for (int x = 0; x < 34; ++x) row(0, y)[x] = static_cast<std::uint16_t>(code(0, x, y) << 6);
  for (int y = 0; y < 9; ++y)
    for (int x = 0; x < 34; ++x)
      row(1, y)[x] = static_cast<std::uint16_t>(code(1 + x % 2, x / 2, y) << 6);
  REQUIRE(nearest_planar(AV_PIX_FMT_P010LE) == AV_PIX_FMT_YUV420P10);
  const PlaneFormat format{34, 18, 3, 1, 1, 10, false};
  FrameFitter fitter(format, resolved(color_description(*frame), format));
  const Planes planes = fitter.fit(*frame);
  int wrong = 0;
  for (int p = 0; p < 3; ++p)
    for (int y = 0; y < format.plane_height(p); ++y)
      for (int x = 0; x < format.plane_width(p); ++x)
        wrong += planes.row<std::uint16_t>(p, y)[x] != code(p, x, y) ? 1 : 0;
  CHECK(wrong == 0);
}

TEST_CASE("a frame of another matrix is brought to the first one's") {
  const PlaneFormat format{16, 16, 3, 1, 1, 8, false};
  Planes red(format);
  const int codes[] = {63, 102, 240};  // red in BT.709, limited range
  for (int p = 0; p < 3; ++p)
    for (int y = 0; y < format.plane_height(p); ++y)
      for (int x = 0; x < format.plane_width(p); ++x)
        red.row<std::uint8_t>(p, y)[x] = static_cast<std::uint8_t>(codes[p]);
  const FramePtr frame = to_frame(std::move(red), AV_PIX_FMT_YUV420P);
  FrameFitter fitter(format, {ColorDescription::kBt601});
  CHECK(fitter.fit(*frame).row<std::uint8_t>(0, 5)[5] == 63);  // tells nothing: the same
  frame->colorspace = AVCOL_SPC_BT709;
  CHECK(std::abs(fitter.fit(*frame).row<std::uint8_t>(0, 5)[5] - 81) <= 1);
  CHECK(std::abs(fitter.fit(*frame).row<std::uint8_t>(1, 5)[5] - 90) <= 1);
}

}  // namespace
}  // namespace streamvsr
