// The codec that decodes a source's enhanced stream.
#pragma once

#include "media/input.h"

namespace streamvsr {

// How many threads decode a codec's pictures where so many may: one, where the codec exports its
// quantisers (see Note [damage] of decoder.h).
int decoding_threads(AVCodecID codec, int allowed);

// Opened for the input's enhanced stream, so that its pictures are the same on every processor.
// threads: >= 1, of which decoding_threads() are used. log: what the codec says goes there; it
// must outlive the codec. Throws kInput where there is no such stream or no decoder.
CodecPtr open_video_codec(const Input& input, int threads, LogSink& log);

// Whether it decodes with several threads.
bool decodes_in_parallel(const AVCodecContext& codec);

}  // namespace streamvsr
