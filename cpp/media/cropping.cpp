#include "media/cropping.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "media/walker.h"

namespace streamvsr {

namespace {

using ebml::Element;

constexpr std::uint64_t kMostSamples = std::numeric_limits<std::int32_t>::max();  // of a side

// --- Matroska -----------------------------------------------------------------------------------

enum Id : std::uint32_t {
  kSegment = 0x18538067,
  kTracks = 0x1654AE6B,
  kTrackEntry = 0xAE,
  kTrackType = 0x83,
  kCodecId = 0x86,
  kVideo = 0xE0,
  kStereoMode = 0x53B8,
  kPixelWidth = 0xB0,
  kPixelHeight = 0xBA,
  kCropBottom = 0x54AA,
  kCropTop = 0x54BB,
  kCropLeft = 0x54CC,
  kCropRight = 0x54DD,
  kDisplayWidth = 0x54B0,
  kDisplayHeight = 0x54BA,
  kDisplayUnit = 0x54B2,
};

constexpr std::uint64_t kVideoTrack = 1;
constexpr std::uint64_t kSamples = 0, kRatio = 3;  // units of the display's size, and those between

// What is left of a picture, where anything is.
std::optional<Cropping> within(const std::uint64_t left, const std::uint64_t top,
                               const std::uint64_t right, const std::uint64_t bottom,
                               const std::uint64_t width, const std::uint64_t height) {
  const auto fits = [](const std::uint64_t before, const std::uint64_t behind,
                       const std::uint64_t whole) {
    return whole <= kMostSamples && before < whole && behind < whole - before;
  };
  if (!fits(left, right, width) || !fits(top, bottom, height)) return std::nullopt;
  return Cropping{static_cast<int>(left), static_cast<int>(top), static_cast<int>(right),
                  static_cast<int>(bottom)};
}

// The track that FFmpeg takes for the first video stream.
Element first_video(Walker& file) {
  Element video;
  const Element tracks = file.first(file.first(file.whole(), kSegment), kTracks);
  file.each(tracks, 0, [&](const Element& entry) {
    if (entry.id != kTrackEntry) return false;
    const bool moves = unsigned_of(file, file.first(entry, kTrackType)) == kVideoTrack &&
                       file.first(entry, kCodecId).id != 0;
    if (moves) video = file.first(entry, kVideo);
    return moves;
  });
  return video;
}

ContainerCropping matroska_cropping(const File& source) {
  Walker file(source, element_head);
  const Element video = first_video(file);
  std::uint64_t left = 0, top = 0, right = 0, bottom = 0, width = 0, height = 0;
  std::uint64_t shown_width = 0, shown_height = 0, unit = kSamples, stereo = 0;
  const std::pair<std::uint32_t, std::uint64_t*> wanted[] = {{kCropLeft, &left},
                                                             {kCropTop, &top},
                                                             {kCropRight, &right},
                                                             {kCropBottom, &bottom},
                                                             {kPixelWidth, &width},
                                                             {kPixelHeight, &height},
                                                             {kDisplayWidth, &shown_width},
                                                             {kDisplayHeight, &shown_height},
                                                             {kDisplayUnit, &unit},
                                                             {kStereoMode, &stereo}};
  file.each(video, 0, [&](const Element& element) {
    for (const auto& [id, value] : wanted)
      if (element.id == id) *value = unsigned_of(file, element);
    return false;
  });
  ContainerCropping result;
  if ((left | top | right | bottom) == 0) return result;
  const std::optional<Cropping> cropping = within(left, top, right, bottom, width, height);
  result.senseless = !cropping;
  if (result.senseless) return result;
  result.cropping = *cropping;
  const std::uint64_t pixels_x = width - left - right, pixels_y = height - top - bottom;
  if (unit == kSamples && shown_width == 0) shown_width = pixels_x;
  if (unit == kSamples && shown_height == 0) shown_height = pixels_y;
  if (unit > kRatio || stereo != 0 || shown_width - 1 >= kMostSamples ||
      shown_height - 1 >= kMostSamples)
    return result;
  AVRational aspect{};
  av_reduce(&aspect.num, &aspect.den, static_cast<std::int64_t>(shown_width * pixels_y),
            static_cast<std::int64_t>(shown_height * pixels_x), INT32_MAX);
  result.aspect = aspect;
  return result;
}

// --- MP4 and MOV --------------------------------------------------------------------------------

constexpr std::uint32_t box(const char (&name)[5]) {
  std::uint32_t id = 0;
  for (int i = 0; i < 4; ++i) id = id << 8 | static_cast<std::uint8_t>(name[i]);
  return id;
}

// ISO/IEC 14496-12: what comes before the boxes in a table of sample descriptions, and in one for
// video, whose size lies within.
constexpr std::int64_t kTableHead = 8, kVideoHead = 78, kWidthAt = 24, kHeightAt = 26;

std::optional<Element> box_head(ebml::Reader& reader, const std::int64_t at,
                                const std::int64_t limit) {
  constexpr std::int64_t kShort = 8, kLong = 16;
  const auto big_endian = [](const std::span<const std::uint8_t> bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes) value = value << 8 | byte;
    return value;
  };
  const std::span<const std::uint8_t> head = reader.bytes(at, kLong);
  if (limit - at < kShort || head.size() < kShort) return std::nullopt;
  std::uint64_t size = big_endian(head.first(4));
  Element result;
  result.id = static_cast<std::uint32_t>(big_endian(head.subspan(4, 4)));
  result.at = at;
  result.payload = at + kShort;
  if (size == 1) {
    if (limit - at < kLong || head.size() < kLong) return std::nullopt;
    size = big_endian(head.subspan(8, 8));
    result.payload = at + kLong;
  }
  if (size == 0) size = static_cast<std::uint64_t>(limit - at);  // up to the end
  if (size < static_cast<std::uint64_t>(result.payload - at)) return std::nullopt;
  result.end =
      size > static_cast<std::uint64_t>(limit - at) ? limit : at + static_cast<std::int64_t>(size);
  return result;
}

// The description of a track's first samples; one without content where there is none.
Element first_description(Walker& file, const int track) {
  Element result;
  file.each(file.first(file.whole(), box("moov")), 0, [&](const Element& trak) {
    if (trak.id != box("trak")) return false;
    const Element header = file.first(trak, box("tkhd"));
    const std::int64_t id_at = file.number(header, 0, 1) == 1 ? 20 : 12;  // times of 8 or 4 bytes
    if (file.number(header, id_at, 4) != static_cast<std::uint32_t>(track)) return false;
    const Element media = file.first(file.first(trak, box("mdia")), box("minf"));
    const Element table = file.first(file.first(media, box("stbl")), box("stsd"));
    file.each(table, kTableHead, [&](const Element& entry) {
      result = entry;
      return true;
    });
    return true;
  });
  return result;
}

ContainerCropping clean_aperture(const File& source, const AVStream& stream) {
  Walker file(source, box_head);
  const Element entry = first_description(file, stream.id);
  const Element clap = file.first(entry, box("clap"), kVideoHead);
  ContainerCropping result;
  // Width, height, and how far its centre lies right of and below the picture's, each a fraction.
  std::array<AVRational, 4> aperture{};
  if (clap.end - clap.payload < static_cast<std::int64_t>(8 * aperture.size())) return result;
  for (std::size_t i = 0; i < aperture.size(); ++i) {
    const auto at = static_cast<std::int64_t>(8 * i);
    aperture[i].num = static_cast<std::int32_t>(file.number(clap, at, 4));
    aperture[i].den = static_cast<std::int32_t>(file.number(clap, at + 4, 4));
    result.senseless = result.senseless || aperture[i].den <= 0 || (i < 2 && aperture[i].num <= 0);
  }
  if (result.senseless) return result;
  const AVRational whole{static_cast<int>(file.number(entry, kWidthAt, 2)),
                         static_cast<int>(file.number(entry, kHeightAt, 2))};
  // What is cut off before and behind the aperture, rounded so that no part of a sample is.
  bool within = true;
  const auto cut = [&](const int of, const AVRational size, const AVRational offset,
                       const double side) {
    constexpr double kRounding = 1e-6;
    const double exact = (of - av_q2d(size)) / 2.0 + side * av_q2d(offset);
    within = within && exact > -kRounding && av_q2d(size) < of + kRounding;
    return within ? static_cast<int>(std::floor(exact + kRounding)) : 0;
  };
  result.cropping.left = cut(whole.num, aperture[0], aperture[2], 1.0);
  result.cropping.right = cut(whole.num, aperture[0], aperture[2], -1.0);
  result.cropping.top = cut(whole.den, aperture[1], aperture[3], 1.0);
  result.cropping.bottom = cut(whole.den, aperture[1], aperture[3], -1.0);
  if (!within) return {{}, {}, true};
  // Where no box tells the shape of samples, FFmpeg has it of the size on the screen.
  const AVRational told = stream.sample_aspect_ratio;
  if (!result.cropping.none() && told.num > 0 && told.den > 0 &&
      file.first(entry, box("pasp"), kVideoHead).id == 0)
    result.aspect = av_mul_q(av_mul_q(told, whole), av_div_q(aperture[1], aperture[0]));
  return result;
}

}  // namespace

ContainerCropping container_cropping(const Input& input) {
  const AVStream& stream = input.stream(input.video_index());
  const std::string_view format = input.format().iformat->name;
  ContainerCropping result;
  if (format.starts_with("matroska"))
    result = matroska_cropping(File(input.path(), O_RDONLY));
  else if (format.starts_with("mov"))
    result = clean_aperture(File(input.path(), O_RDONLY), stream);
  if (const auto told = stream_cropping(stream); told && result.cropping.none()) {
    const auto& [top, bottom, left, right] = *told;
    const auto cropping = within(left, top, right, bottom, kMostSamples, kMostSamples);
    result.cropping = cropping.value_or(Cropping{});
  }
  // The codec may have other pictures than the container says.
  const Cropping& c = result.cropping;
  if (!c.none() &&
      (c.left + c.right >= stream.codecpar->width || c.top + c.bottom >= stream.codecpar->height))
    return {{}, {}, true};
  return result;
}

void crop(AVFrame& frame, const Cropping& cropping) {
  const AVPixFmtDescriptor* const format =
      av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
  const int width = frame.width - cropping.left - cropping.right;
  const int height = frame.height - cropping.top - cropping.bottom;
  if (cropping.none() || width <= 0 || height <= 0) return;
  const auto cells = [](const int samples, const int log2_sub) {
    return static_cast<std::size_t>(samples >> log2_sub << log2_sub);
  };
  frame.crop_left = cells(cropping.left, format->log2_chroma_w);
  frame.crop_top = cells(cropping.top, format->log2_chroma_h);
  frame.crop_right = static_cast<std::size_t>(cropping.right);
  frame.crop_bottom = static_cast<std::size_t>(cropping.bottom);
  check(av_frame_apply_cropping(&frame, AV_FRAME_CROP_UNALIGNED), "crop", "a picture",
        ErrorKind::kInternal);
}

}  // namespace streamvsr
