// The codec that decodes a source's enhanced stream.
#pragma once

#include "media/input.h"

namespace streamvsr {

// Opened for the input's enhanced stream, so that its pictures are the same on every processor.
// threads: >= 1; codecs that export their quantisers get one (see Note [damage] of decoder.h). log:
// what the codec says goes there; it must outlive the codec. Throws kInput where there is no such
// stream or no decoder.
CodecPtr open_video_codec(const Input& input, int threads, LogSink& log);

// Whether it decodes with several threads.
bool decodes_in_parallel(const AVCodecContext& codec);

}  // namespace streamvsr
