#include "pipeline/disk_budget.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/numbers.h"
#include "media/encoder.h"
#include "pipeline/sealed_file.h"
#include "pipeline/space.h"

namespace streamvsr {

namespace {

// A container's own bytes, at most: header and tags; a frame's entries in fragment and index; a
// fragment's headers; those of a copied packet beyond what it had in the source. Measured in our
// files: 22 (MP4) and 12 (MKV) a packet in all.
constexpr double kHeaderBytes = 16 << 10;
constexpr double kFrameEntry = 40.0;
constexpr double kFragmentHeader = 200.0;
constexpr double kFragmentTrack = 80.0;
constexpr double kCopiedEntry = 32.0;
// Kept back for frames that the source's index did not promise, as a part of the video's bytes.
constexpr std::int64_t kSparePart = 64;
// A key frame's floor in a segment's share: bits a pixel, and the most of a mean share.
constexpr double kKeyBits = 0.15;
constexpr double kKeyPart = 0.3;
// The least that a picture is watchable with: bits a pixel, or, where the source itself has less,
// this part of its bytes.
constexpr double kLeastBits = 0.004;
constexpr double kLeastOfSource = 0.3;
// And what every packet, and every segment's key frame, takes at the lowest quality.
constexpr double kLeastFrame = 30.0;
constexpr double kLeastKey = 2000.0;
constexpr double kLeastKeyBits = 0.03;
// What h264 writes at crf 18 for sources of b bits a pixel: kTypicalBits * b^kTypicalPower bits.
// Clips of 0.09 to 1.55 bits a pixel came out with 0.15 to 0.25.
constexpr double kTypicalBits = 0.22;
constexpr double kTypicalPower = 0.15;

std::string ratio_text(const double ratio) { return fixed_text(ratio, 2); }

}  // namespace

DiskBudget plan_budget(const BudgetBasis& basis, const SourceIndex& index,
                       const std::vector<std::int64_t>& segment_ends) {
  DiskBudget budget;
  if (basis.ratio <= 0.0) return budget;
  const RateCurve* const curve = rate_curve(basis.codec);
  if (curve == nullptr)
    throw Error(ErrorKind::kConfig,
                basis.codec +
                    " is lossless: its size cannot be held within a disk budget; choose "
                    "another codec, or lift the budget with disk_ratio=None "
                    "(--disk-ratio none)");
  // x264 opens another profile for it, whose parameter sets no coarser segment shares.
  if (basis.codec == "h264" && basis.crf == 0.0 && basis.depth == 8)
    throw Error(ErrorKind::kConfig,
                "crf 0 is lossless in h264 of 8 bits: its size cannot be held within a disk "
                "budget; ask for crf 1 or more, or lift the budget with disk_ratio=None "
                "(--disk-ratio none)");
  const auto frames = static_cast<double>(index.packets.size());
  const double input = static_cast<double>(basis.input_bytes);
  const double others = std::max(0.0, input - static_cast<double>(index.total_bytes)) +
                        kHeaderBytes + frames * kFrameEntry +
                        (basis.duration + 2.0) * (kFragmentHeader + kFragmentTrack * basis.streams +
                                                  kCopiedEntry * basis.audio_packets);
  const double whole = static_cast<double>(disk_beside_input(basis.ratio, basis.input_bytes)) -
                       static_cast<double>(kCheckpointBytes);
  const double pixels = static_cast<double>(basis.width) * basis.height;
  const double least =
      std::min(frames * pixels * kLeastBits / 8.0,
               kLeastOfSource * static_cast<double>(index.total_bytes)) +
      frames * kLeastFrame +
      static_cast<double>(segment_ends.size()) * (kLeastKey + pixels * kLeastKeyBits / 8.0);
  if (whole - others < std::max(least, 1.0)) {
    const double ratio =
        1.0 + (others + std::max(least, 1.0) + static_cast<double>(kCheckpointBytes)) /
                  std::max(1.0, input);
    const auto text = [](const double bytes) {
      return size_text(static_cast<std::int64_t>(std::max(0.0, bytes)));
    };
    throw Error(ErrorKind::kConfig,
                "the disk budget cannot hold a watchable picture: disk_ratio " +
                    ratio_text(basis.ratio) + " times the input's " + text(input) +
                    (basis.ratio * input < DiskBudget::kLeastInAll ? ", or 1 MiB in all," : "") +
                    " leaves the output " + text(whole) +
                    ", of which sound, other streams and "
                    "container take " +
                    text(others) + "; " + std::to_string(index.packets.size()) + " frames of " +
                    std::to_string(basis.width) + "x" + std::to_string(basis.height) +
                    " need at least " + text(least) + ": set disk_ratio to " +
                    ratio_text(std::ceil(ratio * 100.0) / 100.0) +
                    " or more, or to None (none on the command line) to lift the budget");
  }
  budget.output_bytes = static_cast<std::int64_t>(whole);
  budget.video_bytes = static_cast<std::int64_t>(whole - others);
  budget.spare = budget.video_bytes / kSparePart;
  for (const SourceIndex::Packet& packet : index.packets)
    budget.frame_bytes.push_back(packet.bytes);

  const auto count = static_cast<double>(segment_ends.size());
  const double for_segments = static_cast<double>(budget.video_bytes - budget.spare);
  const double key = std::min(pixels * kKeyBits / 8.0, kKeyPart * for_segments / count);
  const double by_source = for_segments - key * count;
  const auto total = static_cast<double>(std::max<std::int64_t>(1, index.total_bytes));
  std::size_t begin = 0;
  for (const std::int64_t end : segment_ends) {
    const std::size_t stop = std::min(static_cast<std::size_t>(end), index.packets.size());
    double bytes = 0.0;
    for (; begin < stop; ++begin) bytes += static_cast<double>(index.packets[begin].bytes);
    budget.shares.push_back(static_cast<std::int64_t>(key + by_source * (bytes / total)));
  }
  const double crf = meant_crf(basis.codec, basis.crf);
  const double source_pixels = static_cast<double>(basis.source_width) * basis.source_height;
  // 2^((default - crf) / halved_by): each codec's default stands for the same quality.
  // Of the whole film by its mean, then shared out as the source's bytes are: a film's passages
  // keep their proportions.
  const double mean = total / std::max(1.0, frames);
  const double frame_bytes = kTypicalBits / 8.0 * pixels * curve->relative *
                             std::exp2((default_crf(basis.codec) - crf) / curve->halved_by) *
                             std::pow(8.0 * mean / std::max(1.0, source_pixels), kTypicalPower);
  budget.growth = frame_bytes / mean;
  budget.expected_bytes = static_cast<std::int64_t>(frame_bytes * frames);
  if (const double room = static_cast<double>(std::max<std::int64_t>(1, budget.video_bytes));
      frame_bytes * frames > room)
    budget.expected_crf = whole_crf(
        std::min(curve->most, crf + curve->halved_by * std::log2(frame_bytes * frames / room)));
  return budget;
}

std::int64_t disk_beside_input(const double ratio, const std::int64_t input_bytes) {
  const double input = static_cast<double>(input_bytes);
  return static_cast<std::int64_t>(
      std::max(input * ratio, static_cast<double>(DiskBudget::kLeastInAll)) - input);
}

std::string DiskBudget::cost(const double ratio, const std::string& codec, const double crf) const {
  if (expected_crf < 0.0) return "";
  return "the disk budget (disk_ratio " + ratio_text(ratio) +
         ") is likely to cost quality: it leaves the video " + size_text(video_bytes) +
         " where it would take about " + size_text(expected_bytes) + "; instead of crf " +
         number_text(meant_crf(codec, crf)) + " expect about " + fixed_text(expected_crf, 0) +
         "; a larger disk_ratio, or None (none), keeps more";
}

SegmentShare DiskBudget::share(const std::int64_t first_frame,
                               const std::vector<std::int64_t>& ends,
                               const std::int64_t segment_frames) const {
  SegmentShare share;
  const auto it = std::upper_bound(ends.begin(), ends.end(), first_frame);
  if (it == ends.end()) {
    // Each half of what the ones before it left.
    const std::int64_t beyond =
        (first_frame - ends.back()) / std::max<std::int64_t>(1, segment_frames);
    share.bytes = beyond < 40 ? spare >> (beyond + 1) : 0;
    share.expected = static_cast<double>(share.bytes);
    return share;
  }
  const auto segment = static_cast<std::size_t>(it - ends.begin());
  const auto end = std::min(static_cast<std::size_t>(*it), frame_bytes.size());
  const auto start = segment == 0 ? 0 : static_cast<std::size_t>(ends[segment - 1]);
  const auto begin = std::clamp(static_cast<std::size_t>(first_frame), start, end);
  const auto sum = [this](const std::size_t from, const std::size_t to) {
    const auto first = frame_bytes.begin();
    return std::accumulate(first + static_cast<std::ptrdiff_t>(from),
                           first + static_cast<std::ptrdiff_t>(to), 0.0);
  };
  share.source_bytes = std::span(frame_bytes).subspan(begin, end - begin);
  const double bytes = sum(begin, end);
  const double whole = begin == start ? bytes : sum(start, end);
  share.bytes = shares[segment];
  if (begin > start)
    share.bytes =
        static_cast<std::int64_t>(static_cast<double>(share.bytes) * bytes / std::max(1.0, whole));
  share.expected = growth * bytes;
  return share;
}

}  // namespace streamvsr
