#include <doctest/doctest.h>
#include <fcntl.h>

#include <array>
#include <vector>

#include "clip.h"
#include "media/file_io.h"
#include "media/picture.h"

using namespace streamvsr;
using namespace streamvsr::test;

TEST_CASE("writes before the border are dropped, those behind it reach the file") {
  const TemporaryFolder folder;
  File file(folder / "f", O_CREAT | O_RDWR);
  const std::vector<std::uint8_t> old(100, 'a');
  file.write_at(old, 0);
  {
    FileIo io(file, 90, 100);
    const std::vector<std::uint8_t> fresh(20, 'b');
    avio_write(io.context(), fresh.data(), static_cast<int>(fresh.size()));
    avio_flush(io.context());
    avio_seek(io.context(), 10, SEEK_SET);
    avio_write(io.context(), fresh.data(), static_cast<int>(fresh.size()));
    avio_flush(io.context());
    CHECK(io.position() == 30);
    CHECK(io.written() == 10);
    io.rethrow();
  }
  std::array<std::uint8_t, 200> all{};
  CHECK(file.read_at(all, 0) == 110);
  for (std::size_t i = 0; i < 110; ++i) CHECK(all[i] == (i < 100 ? 'a' : 'b'));
}

TEST_CASE("a full disk is reported as such, with its path") {
  File file("/dev/full", O_RDWR);
  FileIo io(file, 0);
  const std::vector<std::uint8_t> bytes(10, 1);
  avio_write(io.context(), bytes.data(), static_cast<int>(bytes.size()));
  avio_flush(io.context());
  try {
    io.rethrow();
    FAIL("the write passed");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kIo);
    CHECK(error.code() == ENOSPC);
    CHECK(error.path() == "/dev/full");
  }
}

TEST_CASE("a rename never replaces unless told") {
  const TemporaryFolder folder;
  File(folder / "a", O_CREAT | O_RDWR).write_at(std::vector<std::uint8_t>{1}, 0);
  File(folder / "b", O_CREAT | O_RDWR).write_at(std::vector<std::uint8_t>{2, 2}, 0);
  CHECK_THROWS_AS(rename_file(folder / "a", folder / "b", false), Error);
  CHECK(std::filesystem::file_size(folder / "b") == 2);
  rename_file(folder / "a", folder / "b", true);
  CHECK(std::filesystem::file_size(folder / "b") == 1);
  rename_file(folder / "b", folder / "c", false);
  CHECK(std::filesystem::exists(folder / "c"));
}

TEST_CASE(
    "every pixel format is either planes of ours, there and back, or has a nearest one that is") {
  int planar = 0;
  for (const AVPixFmtDescriptor* d = av_pix_fmt_desc_next(nullptr); d != nullptr;
       d = av_pix_fmt_desc_next(d)) {
    const AVPixelFormat format = av_pix_fmt_desc_get_id(d);
    CAPTURE(d->name);
    if ((d->flags & AV_PIX_FMT_FLAG_HWACCEL) != 0) continue;
    const AVPixelFormat nearest = nearest_planar(format);
    REQUIRE(plane_format(nearest, 7, 5).has_value());
    const auto planes = plane_format(format, 7, 5);
    if (!planes) continue;
    ++planar;
    const auto again = plane_format(pixel_format(*planes), 7, 5);
    REQUIRE(again.has_value());
    CHECK(*again == *planes);
    for (int p = 0; p < planes->plane_count; ++p) {
      CHECK(planes->plane_width(p) >= 1);
      CHECK(planes->plane_height(p) >= 1);
    }
  }
  CHECK(planar > 20);
}

TEST_CASE("planes survive the way into a frame and back, bottom-up frames too") {
  for (const AVPixelFormat format :
       {AV_PIX_FMT_GRAY8, AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P10, AV_PIX_FMT_YUV444P12}) {
    const PlaneFormat planes = plane_format(format, 19, 11).value();
    Planes picture(planes);
    for (int p = 0; p < planes.plane_count; ++p)
      for (int y = 0; y < planes.plane_height(p); ++y)
        for (int x = 0; x < planes.plane_width(p) * planes.bytes_per_sample(); ++x)
          picture.row<std::uint8_t>(p, y)[x] = static_cast<std::uint8_t>(x * 7 + y * 3 + p);
    const Planes copy = picture.clone();
    const FramePtr frame = to_frame(std::move(picture), format);
    const Planes back = to_planes(*frame, planes);
    for (int p = 0; p < planes.plane_count; ++p) {
      frame->data[p] +=
          static_cast<std::ptrdiff_t>(planes.plane_height(p) - 1) * frame->linesize[p];
      frame->linesize[p] = -frame->linesize[p];
    }
    const Planes upside_down = to_planes(*frame, planes);
    for (int p = 0; p < planes.plane_count; ++p)
      for (int y = 0; y < planes.plane_height(p); ++y)
        for (int x = 0; x < planes.plane_width(p) * planes.bytes_per_sample(); ++x) {
          CHECK(back.row<std::uint8_t>(p, y)[x] == copy.row<std::uint8_t>(p, y)[x]);
          CHECK(upside_down.row<std::uint8_t>(p, y)[x] ==
                copy.row<std::uint8_t>(p, planes.plane_height(p) - 1 - y)[x]);
        }
  }
}
