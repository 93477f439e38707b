// What becomes of each stream of a source in a container, said before any work.
#pragma once

#include <string>
#include <vector>

#include "media/codec_parameters.h"
#include "media/input.h"
#include "media/light.h"
#include "media/tags.h"

namespace streamvsr {

enum class Container { kMp4, kMov, kMkv };

// From a name ("mp4", "mov", "mkv") or, when that is empty, from the output's suffix. Throws
// kConfig.
Container choose_container(const std::string& name, const std::string& output);
const char* container_name(Container container);  // as users name it
const char* muxer_name(Container container);      // as FFmpeg does

// The four letters of GoPro's metadata track.
inline constexpr std::uint32_t kGpmf = MKTAG('g', 'p', 'm', 'd');

// "audio stream #2 (opus, deu)"
std::string stream_name(const AVStream& stream);

enum class StreamAction {
  kEnhance,     // the one video stream that is decoded, enhanced and encoded
  kCopy,        // packets as they are
  kToPcm,       // packed PCM for containers that hold plain PCM alone
  kToMovText,   // text subtitles for MP4 and MOV
  kToSubRip,    // MP4's timed text for Matroska
  kCover,       // a cover picture: an attachment in Matroska, metadata in MP4
  kAttachment,  // fonts and the like, in Matroska
};

struct PlannedStream {
  int input = 0;  // index in the source
  int output =
      0;  // index in the output's .part; covers of MP4, which join at the finish, come last
  StreamAction action = StreamAction::kCopy;
  LightMetadata light;               // of kEnhance
  std::vector<std::uint8_t> stereo;  // an AVStereo3D that only the pictures tell; of kEnhance
  bool upright = false;  // of kEnhance: its pictures are turned as the source says they should be
  SharedParameters
      parameters;  // of kToPcm; of kCopy, where the source's demuxer does not know them
};

// The parameters of a copied stream's packets in the output.
const AVCodecParameters& parameters_of(const Input& input, const PlannedStream& planned);

struct StreamPlan {
  std::vector<PlannedStream> streams;  // in the source's order, but for MP4's covers
  std::vector<std::string> warnings;   // what the container cannot hold, and which one can
};

// encoded: the parameters of the enhanced stream; throws kConfig when the container cannot hold it.
// chosen: FFmpeg's stream specifiers of what is to be carried beside it, all where it is empty;
// throws kConfig for one that says nothing or finds nothing.
StreamPlan plan_streams(const Input& input, Container container, const AVCodecParameters& encoded,
                        const std::vector<std::string>& chosen = {});

// Adds a planned stream to a muxer: parameters, tags, disposition, language, side data.
// encoded: the encoder's parameters, for kEnhance.
void add_stream(AVFormatContext& muxer, const Input& input, const PlannedStream& planned,
                Container container, const AVCodecParameters& encoded);

// What Matroska's times of a stream lie behind its presentation, in the stream's ticks: readers
// take Opus' codec delay off the times they find, while FFmpeg's muxer stores the times it is
// given.
std::int64_t matroska_delay(const AVStream& stream);

// "01:00:00:00", the time of day of a video's first frame; empty where it tells none.
std::string timecode_of(const AVStream& stream);

// Global tags of the source that hold for the output too.
void copy_metadata(const Input& input, AVFormatContext& muxer);
void copy_chapters(const Input& input, AVFormatContext& muxer, std::int64_t offset_us);

}  // namespace streamvsr
