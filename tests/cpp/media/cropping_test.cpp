#include "media/cropping.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "media/ebml.h"
#include "temporary_folder.h"

using namespace streamvsr;
using namespace streamvsr::test;
using ebml::Bytes;

namespace {

constexpr int kWidth = 96, kHeight = 64;

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

Bytes element(const std::uint32_t id, const std::vector<Bytes>& parts) {
  Bytes content, all;
  for (const Bytes& part : parts) content.insert(content.end(), part.begin(), part.end());
  ebml::put_element(all, id, content);
  return all;
}
Bytes number(const std::uint32_t id, const std::uint64_t value) {
  Bytes bytes;
  ebml::put_uint(bytes, id, value);
  return bytes;
}
Bytes word(const std::uint32_t id, const std::string_view text) {
  Bytes bytes;
  ebml::put_string(bytes, id, text);
  return bytes;
}

// A film of a sound and a video, which is cropped by 1, 2, 3 and 4 samples.
std::string matroska(const bool known_size = true) {
  const Bytes video = element(0xE0, {number(0xB0, kWidth), number(0xBA, kHeight), number(0x54CC, 1),
                                     number(0x54BB, 2), number(0x54DD, 3), number(0x54AA, 4)});
  const Bytes tracks = element(
      0x1654AE6B, {element(0xAE, {number(0xD7, 1), number(0x73C5, 1), number(0x83, 2),
                                  word(0x86, "A_MPEG/L3"), element(0xE1, {number(0x9F, 2)})}),
                   element(0xAE, {number(0xD7, 2), number(0x73C5, 2), number(0x83, 1),
                                  word(0x86, "V_MJPEG"), video})});
  const Bytes cluster = element(0x1F43B675, {number(0xE7, 0)});
  std::string head = text_of(element(0x1A45DFA3, {word(0x4282, "matroska")}));
  std::string all = head + text_of(element(0x18538067, {tracks, cluster}));
  if (known_size) return all;
  head += std::string("\x18\x53\x80\x67\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12);
  return head + text_of(tracks) + text_of(cluster);
}

std::string big_endian(const std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}
std::string box(const std::string& name, const std::string& content) {
  return big_endian(static_cast<std::uint32_t>(8 + content.size())) + name + content;
}

// A film of one track, whose aperture is 6 samples narrower and 4 lower, its centre 2 to the right.
std::string mp4() {
  const std::string unity = big_endian(0x10000) + std::string(12, 0) + big_endian(0x10000) +
                            std::string(12, 0) + big_endian(0x40000000);
  const std::string header = std::string(12, 0) + big_endian(7) + std::string(8, 0) +
                             std::string(16, 0) + unity + big_endian(kWidth << 16) +
                             big_endian(kHeight << 16);
  std::string entry = std::string(6, 0) + std::string("\0\1", 2) + std::string(16, 0);
  entry += big_endian(kWidth << 16 | kHeight) + big_endian(0x480000) + big_endian(0x480000);
  entry += std::string(4, 0) + std::string("\0\1", 2) + std::string(32, 0);
  entry += std::string("\0\x18\xFF\xFF", 4);
  std::string clap;
  for (const int value : {kWidth - 6, 1, kHeight - 4, 1, 2, 1, 0, 1})
    clap += big_endian(static_cast<std::uint32_t>(value));
  entry += box("clap", clap);
  const std::string none(4, 0), one = none + big_endian(1);
  const std::string table =
      box("stbl", box("stsd", one + box("jpeg", entry)) + box("stts", none + none) +
                      box("stsc", none + none) + box("stsz", none + none + none) +
                      box("stco", none + none));
  const std::string media =
      box("mdhd", std::string(12, 0) + big_endian(25) + std::string(8, 0)) +
      box("hdlr", none + none + "vide" + std::string(13, 0)) +
      box("minf", box("vmhd", std::string("\0\0\0\1", 4) + std::string(8, 0)) + table);
  const std::string film = std::string(12, 0) + big_endian(1000) + std::string(84, 0);
  return box("ftyp", "isom" + none) + box("mdat", "") +
         box("moov", box("mvhd", film) + box("trak", box("tkhd", header) + box("mdia", media)));
}

ContainerCropping read(const TemporaryFolder& folder, const std::string& bytes) {
  return container_cropping(Input(folder.write("film", bytes)));
}

}  // namespace

TEST_CASE("a container's cropping is read") {
  const TemporaryFolder folder;
  for (const bool known_size : {true, false})
    CHECK(read(folder, matroska(known_size)).cropping == Cropping{1, 2, 3, 4});
  const ContainerCropping aperture = read(folder, mp4());
  CHECK(aperture.cropping == Cropping{5, 2, 1, 2});
  CHECK_FALSE(aperture.senseless);
}

TEST_CASE("a film that was cut off is cropped as far as its description is there") {
  const TemporaryFolder folder;
  const std::string whole = matroska();
  CHECK(read(folder, whole.substr(0, whole.size() - 3)).cropping == Cropping{1, 2, 3, 4});
}

TEST_CASE("whatever bytes a container holds, its cropping leaves something of the pictures") {
  const TemporaryFolder folder;
  std::minstd_rand random(7);
  int opened = 0, cropped = 0;
  for (const std::string& film : {matroska(), mp4()}) {
    for (int round = 0; round < 1500; ++round) {
      std::string damaged = film;
      for (unsigned n = 0; n <= random() % 3; ++n) {
        const std::size_t at = random() % damaged.size();
        constexpr std::array kNasty = {0x00, 0x01, 0x08, 0x7F, 0x80, 0xFF};
        damaged[at] = static_cast<char>(random() % 2 == 0 ? kNasty[random() % kNasty.size()]
                                                          : static_cast<int>(random() % 256));
      }
      if (random() % 8 == 0) damaged.resize(random() % damaged.size() + 1);
      try {
        const Input input(folder.write("film", damaged));
        if (input.video_index() < 0) continue;
        const ContainerCropping found = container_cropping(input);
        const AVCodecParameters& pictures = *input.stream(input.video_index()).codecpar;
        const Cropping& c = found.cropping;
        ++opened;
        if (c.none()) continue;
        ++cropped;
        CHECK_FALSE(found.senseless);
        CHECK(std::min({c.left, c.top, c.right, c.bottom}) >= 0);
        CHECK(std::int64_t{c.left} + c.right < pictures.width);
        CHECK(std::int64_t{c.top} + c.bottom < pictures.height);
      } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::kInput);  // FFmpeg does not open it
      }
    }
  }
  CHECK(opened > 1000);
  CHECK(cropped > 500);
}

TEST_CASE("a frame that is smaller than what is taken off it keeps all") {
  const FramePtr frame = make_frame();
  frame->format = AV_PIX_FMT_YUV420P;
  frame->width = kWidth;
  frame->height = kHeight;
  REQUIRE(av_frame_get_buffer(frame.get(), 0) >= 0);
  const std::uint8_t* const luma = frame->data[0];
  const std::uint8_t* const chroma = frame->data[1];
  crop(*frame, {kWidth / 2, 0, kWidth / 2, 0});
  CHECK(frame->width == kWidth);
  CHECK(frame->data[0] == luma);
  crop(*frame, {3, 5, 2, 1});
  CHECK(frame->width == kWidth - 4);
  CHECK(frame->height == kHeight - 5);
  CHECK(frame->data[0] == luma + 4 * frame->linesize[0] + 2);
  CHECK(frame->data[1] == chroma + 2 * frame->linesize[1] + 1);
}
