// Opening a source: the checks a user's file must pass before any work, and what it holds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "media/av.h"
#include "media/jumps.h"
#include "media/other_files.h"

namespace streamvsr {

// Purpose: one demuxer on a source file. Constructed means opened, with its streams found.
// Thread-safety: none; stages that read at once have one each. Ownership: closes the file.
class Input {
 public:
  // Throws kNotFound or kInput with what is wrong: missing, directory, not a regular file, empty,
  // unknown format, a format that opens other files.
  explicit Input(const std::string& path);

  const std::string& path() const { return path_; }
  AVFormatContext& format() const { return *format_; }
  int stream_count() const { return static_cast<int>(format_->nb_streams); }
  AVStream& stream(int index) const { return *format_->streams[index]; }
  // The stream that is enhanced: the first video stream that is no cover picture; -1 without one.
  int video_index() const { return video_index_; }
  LogSink& log() const { return *log_; }

  // Reads the next packet of a stream that is not discarded; false at the end. Errors of the medium
  // throw kIo; a torn end counts as the end and is kept for damage().
  bool read(AVPacket& packet);
  // To be called after a seek in format().
  void sought() { jumps_.forget(); }
  // Whether times were moved because the file's clock jumped, see Note [joined recordings].
  bool jumped() const { return jumps_.any(); }
  // What read() met at the end when it was not a clean end; empty otherwise.
  const std::string& damage() const { return damage_; }
  // Lets only the streams for which keep[index] is set be read.
  void select(const std::vector<bool>& keep);
  void select_only(int stream);

 private:
  void check_medium() const;
  bool room_for_a_packet() const;

  std::string path_;
  std::unique_ptr<LogSink> log_;        // outlives the context that points to it
  std::unique_ptr<OtherFiles> others_;  // as does this
  InputPtr format_;
  int video_index_ = -1;
  Jumps jumps_;
  std::string damage_;
};

// No packet of a film is larger, bytes: a raw picture of 7680x4320 in 4:4:4 and 16 bits takes less.
// FFmpeg's allocator refuses 2 GiB and more even where there is memory.
inline constexpr std::int64_t kLargestPacket = std::int64_t{256} << 20;

bool is_cover(const AVStream& stream);

struct StreamInfo {
  int index = 0;
  std::string type;  // video, audio, subtitle, data, attachment
  std::string codec, profile;
  int width = 0, height = 0;        // samples, before the container's cropping and rotation
  std::string sample_aspect_ratio;  // "117:128"; "" unknown
  std::string pixel_format;
  double frame_rate = 0.0;                   // mean, 1/s; 0 unknown
  std::int64_t frames = -1;                  // as the container says; -1 unknown
  double duration = -1.0, start_time = 0.0;  // s; duration -1 unknown
  std::int64_t bit_rate = 0;                 // bit/s; 0 unknown
  int sample_rate = 0, channels = 0;
  std::string language, title;
  std::vector<std::string> disposition;
  std::string color_range, color_space, color_transfer, color_primaries, chroma_location,
      field_order;
  double rotation = 0.0;  // degrees counter-clockwise
  bool attached_picture = false;
  std::map<std::string, std::string> metadata;
};

struct ChapterInfo {
  double start = 0.0, end = 0.0;  // s
  std::string title;
};

struct MediaInfo {
  std::string path, format;
  double duration = -1.0, start_time = 0.0;  // s; duration -1 unknown
  std::int64_t bit_rate = 0, size_bytes = 0;
  std::map<std::string, std::string> metadata;
  std::vector<ChapterInfo> chapters;
  std::vector<StreamInfo> streams;
  int video_index = -1;
};

// Describes a file. Throws as Input does.
MediaInfo probe(const std::string& path);

}  // namespace streamvsr
