// Sources that open other files: playlists, image sequences, recordings in pieces. Size, content
// and changes of a source are known of the named file alone, so such a source is refused.
#pragma once

#include <string>

#include "media/av.h"

namespace streamvsr {

// Throws kInput where the demuxer that FFmpeg would choose for a file opens other files, with the
// command that joins them. Nothing of the file is run or followed.
void refuse_playlist(const std::string& path);

// Purpose: keeps a demuxer from opening other files, whichever demuxer it is, and remembers the
// first that it asked for. Not movable: FFmpeg holds its address. Thread-safety: none. Ownership:
// must outlive the context.
class OtherFiles {
 public:
  // To be called before the context is opened.
  explicit OtherFiles(AVFormatContext& context);
  OtherFiles(const OtherFiles&) = delete;
  OtherFiles& operator=(const OtherFiles&) = delete;

  // Throws kInput where the demuxer asked for another file that exists.
  void check(const std::string& path) const;

 private:
  static int open(AVFormatContext* context, AVIOContext** io, const char* url, int flags,
                  AVDictionary** options);

  decltype(AVFormatContext::io_open) open_file_;
  std::string asked_for_;
};

}  // namespace streamvsr
