#include "pipeline/space.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/file.h"
#include "media/picture.h"
#include "media/source_index.h"
#include "pipeline/plan_picture.h"

namespace streamvsr {

namespace {

// A container's own bytes: header and index, and what one frame adds to them.
constexpr std::int64_t kContainerBytes = 64 << 10;
constexpr std::int64_t kBytesPerFrame = 100;
// No encoder's packets are larger than the samples by more than this, noise and headers included.
constexpr double kMostOfRaw = 1.1;
// What h264 and hevc write at their default crf: the source's own bits for every pixel of the
// output, and this for the edges that a coarsely coded source has lost or blurred. Measured on
// clips of 0.09 to 1.5 bits a pixel: 0.21 to 0.25 where the source has more than 0.6, up to 0.16 at
// 0.1.
constexpr double kBitsPerPixel = 0.1;
constexpr double kHalvedBy = 6.0;     // crf steps
constexpr double kFasterCosts = 1.6;  // presets that search less write more
// vfat's: <linux/magic.h> has it, but not every libc's headers do.
constexpr std::int64_t kFatMagic = 0x4d44;
constexpr std::int64_t kFatLargest = (std::int64_t{4} << 30) - 1;

double raw_frame_bytes(const PlaneFormat& format) {
  double bytes = 0.0;
  for (int p = 0; p < format.plane_count; ++p)
    bytes += static_cast<double>(format.plane_width(p)) * format.plane_height(p);
  return bytes * format.bytes_per_sample();
}

bool searches_little(const std::string& preset) {
  return preset == "ultrafast" || preset == "superfast" || preset == "veryfast";
}

std::int64_t rounded(const double bytes) {
  return bytes < 9e18 ? static_cast<std::int64_t>(bytes) : Room::kNoLimit;
}

std::string share_text(const double share) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.4g", share);
  return text.data();
}

}  // namespace

std::int64_t estimate_output(const SizeBasis& basis) {
  const auto frames = static_cast<double>(basis.frames);
  double video = kMostOfRaw * frames * raw_frame_bytes(basis.output);
  if (const double default_quality = default_crf(basis.codec); default_quality >= 0.0) {
    // Each codec's default stands for the same quality.
    const double crf = meant_crf(basis.codec, basis.crf) - default_quality;
    const double area = static_cast<double>(basis.output.width) * basis.output.height /
                        (static_cast<double>(basis.source_width) * basis.source_height);
    const double pixels = frames * basis.output.width * basis.output.height;
    const double coded =
        static_cast<double>(basis.video_bytes) * std::max(1.0, area) + pixels * kBitsPerPixel / 8.0;
    video = std::min(video, coded * std::exp2(-crf / kHalvedBy) *
                                (searches_little(basis.preset) ? kFasterCosts : 1.0));
  }
  const double others =
      static_cast<double>(std::max<std::int64_t>(0, basis.input_bytes - basis.video_bytes));
  return rounded(video + others + static_cast<double>(kContainerBytes) +
                 frames * static_cast<double>(kBytesPerFrame));
}

std::int64_t estimate_output(const JobConfig& config, const Enhancer& enhancer,
                             const PlanningTick& tick) {
  find_encoder(config.video_codec);
  const Input input(config.input);
  if (input.video_index() < 0)
    throw Error(ErrorKind::kInput, "'" + config.input + "' has no video stream", config.input);
  const SourceIndex index = index_source(config.input, tick);
  const AVCodecParameters& coded = *input.stream(input.video_index()).codecpar;
  const auto told = static_cast<AVPixelFormat>(coded.format);
  const AVPixelFormat source = told == AV_PIX_FMT_NONE ? AV_PIX_FMT_YUV420P : nearest_planar(told);
  const auto planes = plane_format(source, coded.width, coded.height);
  if (!planes)
    throw Error(ErrorKind::kInput, "the pictures of '" + config.input + "' have no known size",
                config.input);
  const PlaneFormat enhanced = enhancer.output_format(*planes);
  const AVPixelFormat written =
      choose_pixel_format(config.video_codec, source, config.pixel_format);
  SizeBasis basis;
  basis.codec = config.video_codec;
  basis.crf = config.crf;
  basis.preset = config.encoder_preset;
  basis.source_width = coded.width;
  basis.source_height = coded.height;
  basis.output = output_size(
      config, enhanced, plane_format(written, enhanced.width, enhanced.height).value_or(enhanced));
  basis.frames = static_cast<std::int64_t>(index.packets.size());
  basis.video_bytes = index.total_bytes;
  basis.input_bytes = avio_size(input.format().pb);
  const std::int64_t expected = estimate_output(basis);
  if (config.disk_ratio <= 0.0) return expected;
  return std::min(expected, disk_beside_input(config.disk_ratio, basis.input_bytes));
}

std::int64_t largest_file_of(const std::int64_t file_system) {
  return file_system == kFatMagic ? kFatLargest : Room::kNoLimit;
}

Room room_in(const std::string& directory) {
  Room room;
  struct statvfs space{};
  check_errno(::statvfs(directory.c_str(), &space), "look at the space in", directory);
  room.free = rounded(static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize));
  struct statfs system{};
  if (::statfs(directory.c_str(), &system) == 0) {
    room.largest_file = largest_file_of(static_cast<std::int64_t>(system.f_type));
    if (room.largest_file != Room::kNoLimit) room.limited_by = "the file system (FAT)";
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
      static_cast<double>(limit.rlim_cur) < static_cast<double>(room.largest_file)) {
    room.largest_file = static_cast<std::int64_t>(limit.rlim_cur);
    room.limited_by = "this process's file size limit (ulimit -f)";
  }
  return room;
}

SpaceNeed space_need(const JobPlan& plan, const std::optional<Checkpoint>& from,
                     const std::int64_t part_bytes) {
  SpaceNeed need;
  if (!from || from->source.delivered <= 0) {
    need.still = need.whole = plan.expected_bytes;
    need.freed = part_bytes;
    if (from) need.freed = std::max<std::int64_t>(0, part_bytes - from->part.bytes);
  } else if (from->stage == Checkpoint::Stage::kRunning) {
    // What is done says more than the source did.
    const double rest =
        static_cast<double>(std::max<std::int64_t>(0, plan.frames - from->source.delivered));
    need.still = rounded(static_cast<double>(from->part.bytes) /
                         static_cast<double>(from->source.delivered) * rest) +
                 kContainerBytes + plan.frames * kBytesPerFrame;
    need.whole = from->part.bytes + need.still;
    need.freed = std::max<std::int64_t>(0, part_bytes - from->part.bytes);
  }
  return need;
}

void check_space(const JobConfig& config, const SpaceNeed& need, const Room& room) {
  const double share = config.max_disk_fraction;
  if (share <= 0.0 || need.still <= 0) return;
  const std::string directory = directory_of(config.output);
  const std::string estimate =
      "the output needs about " + size_text(need.still) + (need.whole > need.still ? " more" : "");
  if (need.whole > room.largest_file)
    throw Error(ErrorKind::kIo,
                estimate + " and would be a file of " + size_text(need.whole) + ", but " +
                    room.limited_by + " allows " + size_text(room.largest_file) + " in '" +
                    directory +
                    "': choose another place or a higher crf, or set max_disk_fraction to None "
                    "(none on the command line) to try all the same",
                config.output, EFBIG);
  const std::int64_t free = room.free + need.freed;
  const std::int64_t usable = rounded(share * static_cast<double>(free));
  if (need.still + kCheckpointBytes > usable)
    throw Error(ErrorKind::kIo,
                estimate + ", but of the " + size_text(free) + " free in '" + directory +
                    "' it may take " + size_text(usable) + " (max_disk_fraction " +
                    share_text(share) +
                    "): free space, choose another place or a higher crf, or set "
                    "max_disk_fraction to None (none on the command line) to try all the same",
                config.output, ENOSPC);
}

SpaceWatch::SpaceWatch(const JobPlan& plan, const std::int64_t bytes)
    : plan_(plan), bytes_(bytes) {}

std::optional<std::string> SpaceWatch::look(const std::int64_t frames, const std::int64_t bytes,
                                            const Room& room) {
  largest_segment_ = std::max(largest_segment_, bytes - bytes_);
  bytes_ = bytes;
  const double share = plan_.config.max_disk_fraction;
  const std::int64_t left = plan_.frames - frames;
  if (share <= 0.0 || frames <= 0 || left <= 0) return std::nullopt;
  const std::int64_t rest = rounded(static_cast<double>(bytes) / static_cast<double>(frames) *
                                    static_cast<double>(left)) +
                            plan_.frames * kBytesPerFrame;
  const std::int64_t have = std::min(room.free, room.largest_file - bytes);
  if (static_cast<double>(rest) <= share * static_cast<double>(have)) return std::nullopt;
  const std::string directory = directory_of(plan_.config.output);
  if (rest > have && have < 2 * largest_segment_ + kCheckpointBytes)
    throw Error(ErrorKind::kIo,
                "stopped early: there is room for " + size_text(std::max<std::int64_t>(0, have)) +
                    " in '" + directory + "', less than two more segments take",
                plan_.config.output, ENOSPC);
  if (warned_) return std::nullopt;
  warned_ = true;
  return "the rest of the output needs about " + size_text(rest) + " and there is room for " +
         size_text(have) + " in '" + directory +
         "': free space, or the job stops before the disk is full, to be gone on with";
}

std::string size_text(const std::int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 999.5 && unit + 1 < kUnits.size()) {
    size /= 1000.0;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g %s", size, kUnits[unit]);
  return text.data();
}

}  // namespace streamvsr
