#include "media/other_files.h"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace streamvsr {

namespace {

using IoPtr = std::unique_ptr<AVIOContext, FreeByRef<avio_closep>>;

// Demuxers that open the files or addresses that their input lists. webm_dash_manifest reads one
// file.
constexpr std::array kPlaylists = {"hls", "dash", "concat", "imf", "sdp", "rtsp"};

// What FFmpeg chooses by the name alone: such a format opens files, or scripts, by itself.
const AVInputFormat* format_of_name(const std::string& url) {
  const AVProbeData name{url.c_str(), nullptr, 0, nullptr};
  int score = AVPROBE_SCORE_RETRY;
  return av_probe_input_format2(&name, 0, &score);
}

const AVInputFormat* format_of_content(const std::string& url) {
  AVIOContext* io = nullptr;
  if (avio_open(&io, url.c_str(), AVIO_FLAG_READ) < 0) return nullptr;
  const IoPtr closed(io);
  const AVInputFormat* format = nullptr;
  return av_probe_input_buffer2(io, &format, url.c_str(), nullptr, 0, 0) < 0 ? nullptr : format;
}

// For a shell.
std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

void refuse_playlist(const std::string& path) {
  LogSink quiet;
  const LogSink::Scope scope(quiet);
  const std::string url = "file:" + path;
  if (const AVInputFormat* const format = format_of_name(url))
    throw Error(ErrorKind::kInput,
                "FFmpeg takes the name of the input '" + path + "' for a pattern (format " +
                    format->name + ") and would open other files; rename it",
                path);
  const AVInputFormat* const format = format_of_content(url);
  if (format == nullptr) return;
  const std::string name = format->name;
  const bool playlist = std::any_of(kPlaylists.begin(), kPlaylists.end(), [&](const char* const p) {
    return av_match_name(p, name.c_str()) != 0;
  });
  if (!playlist) return;
  throw Error(ErrorKind::kInput,
              "the input '" + path + "' is a list of other files (format " + name +
                  "); join them into one first: ffmpeg " +
                  (name == "concat" ? "-f concat -safe 0 " : "") + "-i " + quoted(path) +
                  " -map 0 -c copy joined.mkv",
              path);
}

OtherFiles::OtherFiles(AVFormatContext& context) : open_file_(context.io_open) {
  context.io_open = &OtherFiles::open;
  // There is no field for a user of io_open; without a callback nobody else reads this one.
  context.interrupt_callback.opaque = this;
}

int OtherFiles::open(AVFormatContext* const context, AVIOContext** const io, const char* const url,
                     const int flags, AVDictionary** const options) {
  auto& self = *static_cast<OtherFiles*>(context->interrupt_callback.opaque);
  const std::string_view asked = url;
  if (context->url != nullptr && asked == context->url)
    return self.open_file_(context, io, url, flags, options);
  constexpr std::string_view kFile = "file:";
  const std::string name(asked.substr(0, kFile.size()) == kFile ? asked.substr(kFile.size())
                                                                : asked);
  // A demuxer may look for pieces that need not be there.
  if (asked.find("://") == std::string_view::npos && ::access(name.c_str(), F_OK) != 0)
    return AVERROR(ENOENT);
  if (self.asked_for_.empty()) self.asked_for_ = name;
  return AVERROR(EPERM);
}

void OtherFiles::check(const std::string& path) const {
  if (asked_for_.empty()) return;
  throw Error(ErrorKind::kInput,
              "the input '" + path + "' goes on in other files, such as '" + asked_for_ +
                  "'; join them into one first: ffmpeg -i " + quoted(path) +
                  " -map 0 -c copy joined.mkv",
              path);
}

}  // namespace streamvsr
