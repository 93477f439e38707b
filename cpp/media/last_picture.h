// How long a film's last picture is shown.
#pragma once

#include <optional>

#include "media/input.h"

namespace streamvsr {

// The last picture in presentation order. Ticks of the stream's time base.
struct LastPicture {
  std::int64_t time = 0;      // as the demuxer gives it
  std::int64_t duration = 0;  // > 0

  bool operator==(const LastPicture&) const = default;
};

// Purpose: finds the last picture among packets that come in any order. Thread-safety: none.
//
// Note [last duration]: only the next picture's time says how long a picture is shown, and the last
// one has no next. Containers say it in several ways: in the packet (GIF, Matroska's BlockDuration
// and DefaultDuration), in the track's length (MP4, MOV) or in a tag (Matroska). FFmpeg fills in
// what is not there; in MP4 with a time scale below 1000 that is one tick. So the track's length
// counts first. Where it is within its own rounding of the gap before the last picture, that gap is
// meant.
class LastPictureFinder {
 public:
  // A picture's packet.
  void add(const AVPacket& packet);
  // The second field of the picture that was added last.
  void add_field(const AVPacket& packet);
  // After the last packet. Nothing where packets have no presentation times.
  std::optional<LastPicture> found(const Input& input) const;

 private:
  std::int64_t last_ = AV_NOPTS_VALUE, before_ = AV_NOPTS_VALUE;  // the two latest times
  std::int64_t duration_ = 0;                                     // of the last
  std::int64_t added_ = AV_NOPTS_VALUE;                           // the time added last
};

// The same for a file whose index names all packets: reads its end alone. from: the decoding time
// (ticks) of a packet near the end.
std::optional<LastPicture> read_last_picture(const std::string& path, std::int64_t from);

}  // namespace streamvsr
