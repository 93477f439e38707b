// The plan of a job: all that is decided before the first frame. A pure function of the input, the
// configuration, the machine's facts and what an earlier run of the job chose by its own. So every
// run of a job, whole or resumed, writes the same bytes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "enhance/enhancer.h"
#include "media/decoder.h"
#include "media/encoder.h"
#include "media/part_muxer.h"
#include "media/source_index.h"
#include "media/streams.h"
#include "pipeline/disk_budget.h"
#include "pipeline/identity.h"
#include "pipeline/memory_plan.h"

namespace streamvsr {

// What to do about the remains of an interrupted run.
enum class ResumeMode {
  kAuto,    // go on where there is something to go on with
  kDemand,  // the same, and it is an error when there is nothing
  kNever,   // remove them and start over
  kFrames,  // go on even where libraries or processor changed: the same frames, not the same bytes
};
// Throws kConfig for anything but "auto", "yes", "no" and "frames".
ResumeMode parse_resume_mode(const std::string& name);

// What a user may set. Defaults suit a film on one machine.
struct JobConfig {
  std::string input;
  std::string output;
  ResumeMode resume = ResumeMode::kAuto;
  std::string network;             // what enhances, for people
  std::string network_file;        // its weights; empty: the name says it all
  std::string precision = "auto";  // of the network, as asked for
  std::string steadying;           // what is done to its pictures, one line; empty: nothing
  std::string options = "{}";      // all of these as the user gave them, a JSON object
  bool overwrite = false;          // replace an output that exists
  bool strict = false;             // damage in the source is an error
  std::string container;           // mp4, mov, mkv; empty: from the output's suffix
  std::string video_codec = "h264";
  double crf = -1.0;           // negative: the codec's default
  std::string encoder_preset;  // empty: medium
  std::string pixel_format;    // empty: the source's, or the nearest the codec takes
  int width = 0, height = 0;   // of the output; 0: as the other one and the network's scale say
  std::string color_matrix;    // of the source: bt601, bt709, bt2020; empty: as it tells
  std::string interlaced = "deinterlace";  // or keep, or refuse
  bool apply_rotation = false;             // turn the pictures; else keep the mark that says so
  bool refuse_resized = false;             // pictures of another size are an error; else scaled
  std::vector<std::string> streams;        // to be carried beside the video: see plan_streams()
  std::map<std::string, std::string> encoder_options;
  int encoder_threads = 0;        // 0: one per core; part of the result
  int decoder_threads = 0;        // 0: one per core
  double segment_seconds = 10.0;  // of source time, at most: see pipeline/work.h; > 0
  int max_memory_mb = 0;    // of frames and packets in flight, codecs included, >= 64; 0: what the
                            // job needs, at most half of what is free
  int max_frames_mb = 0;    // of pictures between the stages, >= 64; 0: no limit of their own
  double disk_ratio = 3.0;  // (input + output) / input, at most; 0: no limit
  double max_disk_fraction = 0.8;  // of the free space, that the output may take; 0: unchecked
};

struct JobPlan {
  JobConfig config;  // as given, threads resolved
  Container container = Container::kMp4;
  DecoderSettings decoder;
  EncoderSettings encoder;
  PartSettings part;
  StreamPlan streams;
  std::shared_ptr<AVCodecParameters> encoded;  // of the enhanced stream, for every segment
  PlaneFormat source_format;                   // of decoded pictures
  PlaneFormat enhanced_format;                 // of enhanced pictures
  PlaneFormat output_format;                   // of encoded pictures
  ColorDescription color;                      // of all three
  std::optional<FramePacking> packing;         // of two views, where the video can tell it
  std::vector<std::uint8_t> stereo;            // an AVStereo3D for the container; empty: none
  AVRational time_base{1, 25};                 // of the enhanced stream's times in the source
  AVRational frame_rate{25, 1};                // mean
  std::int64_t frames = 0;                     // estimate: packets that should give a picture
  double duration = 0.0;                       // s, of those
  std::int64_t expected_bytes = 0;             // of the output, estimate
  int reorder_depth = 0;                       // frames, of the encoder
  int fragment_frames = 1;                     // packets of video per fragment of the .part
  std::int64_t segment_frames = 1;             // by segment_seconds and the work of a frame
  std::vector<std::int64_t>
      segment_ends;  // first frame after each planned segment; beyond them every segment_frames
  DiskBudget budget;
  std::optional<EncoderSettings> draft;  // where one is made: memory.draft is not 0
  std::string source_codec;
  std::vector<std::string> copied_streams;  // what is not enhanced and carried, for people
  std::vector<std::string> warnings;
  MemoryPlan memory;
  Identity identity;
  std::optional<SourceWatch> watch;  // since before planning looked at the source

  // The first frame behind the segment that holds a frame.
  std::int64_t segment_end(std::int64_t frame) const;
  bool ends_segment(std::int64_t frame) const { return segment_end(frame) == frame + 1; }
  // Segments that end at a frame or before it.
  std::int64_t segments_before(std::int64_t frame) const;
  std::int64_t segments() const { return static_cast<std::int64_t>(segment_ends.size()); }
};

// The `.part` and the checkpoint that lie beside an output.
std::string part_path(const std::string& output);
std::string checkpoint_path(const std::string& output);

// Called while a plan is made, as often as a long file's index takes to read: bytes read, bytes in
// all. May throw to end it.
using PlanningTick = std::function<void(std::int64_t, std::int64_t)>;

// Checks everything that can be checked before work, and decides the rest. Throws the one clear
// error. kept: what the run that began this job chose by its memory.
JobPlan make_plan(const JobConfig& config, const Enhancer& enhancer, const MachineFacts& machine,
                  const std::optional<MemoryChoice>& kept, const PlanningTick& tick);

}  // namespace streamvsr
