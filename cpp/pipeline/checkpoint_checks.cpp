#include "pipeline/checkpoint_checks.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "pipeline/plan.h"

namespace streamvsr {

namespace {

using Stage = Checkpoint::Stage;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
// Counts and times beyond these are nobody's: sums and differences of a few of them cannot
// overflow.
constexpr std::int64_t kMostCount = std::int64_t{1} << 50;
constexpr std::int64_t kMostTicks = std::int64_t{1} << 60;
constexpr std::int64_t kMostReordered = 64;  // frames, by any encoder
constexpr int kMostThreads = 128;            // as a configuration may ask for

bool is_digest(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_time(const std::int64_t ticks) { return ticks >= -kMostTicks && ticks <= kMostTicks; }

// Purpose: keeps the first thing that is wrong. Thread-safety: none.
class Findings {
 public:
  void expect(const bool right, const std::string& wrong) {
    if (!right && first_.empty()) first_ = wrong;
  }
  void in_range(const char* const name, const std::int64_t value, const std::int64_t least,
                const std::int64_t most) {
    expect(value >= least && value <= most, std::string(name) + " is " + std::to_string(value));
  }
  const std::string& first() const { return first_; }

 private:
  std::string first_;
};

void check_identity(const Checkpoint& c, Findings& findings) {
  findings.expect(is_digest(c.plan_hash), "job.plan is no SHA-256");
  findings.expect(c.input.find('\0') == std::string::npos, "input.path holds a zero byte");
  findings.expect(c.identity.input.contains("size"), "input.identity lacks the size");
  const auto threads = c.identity.job.find("encoder_threads");
  if (threads == c.identity.job.end()) return;  // then it is another job's
  const std::string& text = threads->second;
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  findings.expect(error == std::errc() && end == text.data() + text.size() && count >= 1 &&
                      count <= kMostThreads,
                  "job.identity's encoder_threads is '" + text + "'");
}

void check_counts(const Checkpoint& c, Findings& findings) {
  findings.in_range("frames_total", c.frames_total, 0, kMostCount);
  findings.in_range("segments_total", c.segments_total, 0, kMostCount);
  findings.in_range("source.next_frame", c.source.delivered, 0, kMostCount);
  findings.in_range("segments_done", c.segments_done, 0, c.source.delivered);
  findings.expect((c.segments_done > 0) == (c.source.delivered > 0),
                  "segments_done and source.next_frame do not fit each other");
  findings.in_range("source.damaged", c.source.damaged, 0, kMostCount);
  findings.in_range("source.resized", c.source.resized, 0, c.source.delivered);
}

void check_part(const Checkpoint& c, Findings& findings) {
  findings.in_range("part.bytes", c.part.bytes, c.segments_done > 0 ? 1 : 0, kMost);
  findings.in_range("part.fragments", c.part.fragments, 1, std::numeric_limits<int>::max());
  findings.expect(c.part.last_durations.size() == c.part.ends.size(),
                  "part.last_durations and part.ends have different lengths");
  for (const std::int64_t duration : c.part.last_durations)
    findings.in_range("an entry of part.last_durations", duration, 0, kMostTicks);
  for (const std::int64_t end : c.part.ends)
    findings.in_range("an entry of part.ends", end, 0, kMostTicks);
  findings.expect(c.segments_done == 0 || is_digest(c.part_tail), "part.tail is no SHA-256");
  if (c.stage == Stage::kCommitted)
    findings.in_range("final_bytes", c.final_bytes, c.part.bytes, kMost);
  else
    findings.expect(c.final_bytes == 0, "final_bytes is set and the stage is not committed");
}

// The mark is that of the last segment's end; once all frames are in the `.part` (finishing,
// committed), that of an earlier one.
void check_video(const Checkpoint& c, Findings& findings) {
  const EncoderMark& video = c.video;
  if (c.stage == Stage::kRunning)
    findings.expect(video.packets == c.source.delivered,
                    "video.packets and source.next_frame differ");
  findings.in_range("video.packets", video.packets, 0, c.source.delivered);
  findings.expect(video.first_pts.has_value() == (video.packets > 0),
                  "video.first_pts and video.packets do not fit each other");
  findings.in_range("the length of video.recent_pts",
                    static_cast<std::int64_t>(video.recent_pts.size()), 0,
                    std::min(video.packets, kMostReordered));
  if (video.packets == 0 || !video.first_pts) return;
  findings.expect(is_time(*video.first_pts) && is_time(video.last_dts),
                  "video.first_pts or video.last_dts is no time");
  for (std::size_t i = 0; i < video.recent_pts.size(); ++i) {
    const std::int64_t pts = video.recent_pts[i];
    const bool rises = i == 0 ? pts >= *video.first_pts : pts > video.recent_pts[i - 1];
    findings.expect(is_time(pts) && rises, "video.recent_pts do not rise");
  }
}

void check_source(const Checkpoint& c, Findings& findings) {
  const SourceMark& source = c.source;
  findings.in_range("source.window", source.window, 0,
                    std::min<std::int64_t>(source.delivered, Decoder::kWindow));
  findings.expect(is_time(source.pts_offset), "source.pts_offset is no time");
  findings.expect(source.window_pts == AV_NOPTS_VALUE || is_time(source.window_pts),
                  "source.window_pts is no time");
  findings.expect(source.last_pts == AV_NOPTS_VALUE || is_time(source.last_pts),
                  "source.last_pts is no time");
  findings.expect(source.fingerprint.empty() || is_digest(source.fingerprint),
                  "source.fingerprint is no SHA-256");
  if (c.stage != Stage::kRunning || source.delivered == 0) return;
  findings.expect(source.window == std::min<std::int64_t>(source.delivered, Decoder::kWindow),
                  "source.window and source.next_frame do not fit each other");
  findings.expect(source.last_pts != AV_NOPTS_VALUE, "source.last_pts is missing");
  findings.expect(is_digest(source.fingerprint), "source.fingerprint is missing");
}

// The `.part`'s time of a picture of the source; nothing where it is beyond all times.
std::optional<std::int64_t> part_time(const JobPlan& plan, const std::int64_t source_ticks) {
  std::int64_t ticks = 0;
  if (__builtin_mul_overflow(source_ticks, std::int64_t{plan.time_base.num}, &ticks) ||
      !is_time(ticks))
    return std::nullopt;
  return plan.part.clock.to_part(ticks, plan.part.video_time_base);
}

// Where the encoder's times stand, as SegmentEncoder leaves them at the end of a segment: see its
// Note [dts].
void check_times(const JobPlan& plan, const Checkpoint& c, Findings& findings) {
  const EncoderMark& video = c.video;
  const std::int64_t depth = plan.reorder_depth;
  const std::int64_t due = std::min(video.packets, depth);
  findings.expect(static_cast<std::int64_t>(video.recent_pts.size()) == due,
                  "video.recent_pts has " + std::to_string(video.recent_pts.size()) +
                      " entries and must have " + std::to_string(due));
  const std::optional<std::int64_t> last = part_time(plan, c.source.last_pts);
  findings.expect(last && part_time(plan, c.source.pts_offset), "source.last_pts is no time");
  if (!findings.first().empty()) return;
  const std::int64_t nominal = plan.decoder.nominal_duration * plan.time_base.num;
  if (due > 0)
    findings.expect(video.recent_pts.back() == *last,
                    "video.recent_pts and source.last_pts do not fit each other");
  if (video.packets <= depth) {
    findings.expect(video.recent_pts.empty() || video.recent_pts.front() == *video.first_pts,
                    "video.recent_pts and video.first_pts do not fit each other");
    findings.expect(video.last_dts == *video.first_pts - (depth - video.packets + 1) * nominal,
                    "video.last_dts and video.first_pts do not fit each other");
  } else {
    findings.expect(
        due == 0 ? video.last_dts == *last
                 : video.last_dts >= *video.first_pts && video.last_dts < video.recent_pts.front(),
        "video.last_dts and video.recent_pts do not fit each other");
  }
}

}  // namespace

std::string flaw_of(const Checkpoint& checkpoint) {
  Findings findings;
  check_identity(checkpoint, findings);
  check_counts(checkpoint, findings);
  check_part(checkpoint, findings);
  check_video(checkpoint, findings);
  check_source(checkpoint, findings);
  return findings.first();
}

std::string flaw_for(const JobPlan& plan, const Checkpoint& c) {
  Findings findings;
  if (c.segments_done == 0) return {};  // nothing of it is used
  const std::size_t streams = plan.streams.streams.size();
  findings.expect(c.part.ends.size() == streams,
                  "part.ends has " + std::to_string(c.part.ends.size()) +
                      " entries, and the output has " + std::to_string(streams) + " stream(s)");
  if (c.stage == Stage::kRunning) {
    findings.expect(plan.segments_before(c.source.delivered) == c.segments_done &&
                        plan.ends_segment(c.source.delivered - 1),
                    "source.next_frame " + std::to_string(c.source.delivered) +
                        " is not the end of segment " + std::to_string(c.segments_done));
    findings.expect(plan.container != Container::kMkv || c.part.fragments == 1,
                    "part.fragments is set, and Matroska has none");
    check_times(plan, c, findings);
  }
  return findings.first();
}

}  // namespace streamvsr
