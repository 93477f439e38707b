// How much memory an encoder takes, by its settings alone.
#pragma once

#include <cstddef>

#include "media/encoder.h"

namespace streamvsr {

// What decides an encoder's memory, beside format and size: see docs/memory.md.
struct EncoderLoad {
  int lookahead = 0;  // frames that the rate control looks ahead; 0: none
  int b_frames = 0;
  int references = 1;
  int reorder_search = 0;  // frames that the choice of B frames looks ahead
  int threads = 1;
  int frame_threads = 1;         // x265's: frames that are worked on at a time
  bool lookahead_given = false;  // by an option of the user's
  bool threads_given = false;    // the same
  int least_lookahead = 0;       // frames that it may be lowered to
};

// As the preset and the user's options set them. Of options that it cannot read it takes none: the
// encoder refuses those.
EncoderLoad encoder_load(const EncoderSettings& settings);

// Bytes that an encoder with these settings holds at most: pictures waiting for their turn,
// reference pictures, what each thread works with, its packets.
std::size_t encoder_bytes(const EncoderSettings& settings);

}  // namespace streamvsr
