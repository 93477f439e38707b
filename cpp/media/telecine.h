// Soft telecine: progressive pictures that tell a display of fields to show one of their fields
// again, or all of them. MPEG-2 says so by repeat_first_field, H.264 by pic_struct.
#pragma once

#include "media/input.h"

namespace streamvsr {

// What a picture tells a display: H.264's pic_struct (ITU-T H.264, table D-1). 0: once; 5 and 6:
// its first field again, which is the top or the bottom one; 7 and 8: all of it twice or thrice. A
// frame that is interlaced has 0.
int pic_struct(const AVFrame& frame);

// Whether one of the first kTelecineLook pictures of an input's enhanced stream has another one
// than 0: what their headers say, without decoding them. The input itself is not read from. False
// for other codecs than MPEG-2 and H.264.
bool is_soft_telecine(const Input& described);
inline constexpr int kTelecineLook = 500;

// Writes a pic_struct, 0 or 5 to 8, over the one in a packet of x264's (Annex B), whose size stays.
// False where the packet has no picture timing of one byte: it has none where x264 was not told to
// write any, and a longer one with buffering parameters (HRD).
bool set_pic_struct(AVPacket& packet, int value);
// Writes the one of a packet over that of another one, as far as both have one.
void copy_pic_struct(const AVPacket& from, AVPacket& to);

}  // namespace streamvsr
