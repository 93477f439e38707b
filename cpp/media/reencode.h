// Pictures out of packets of ours, encoded again: for a segment that does not suit its share of the
// disk.
#pragma once

#include <span>
#include <vector>

#include "base/stop.h"
#include "media/encoder.h"

namespace streamvsr {

// Decodes packets of one encoder, in its order, and encodes their pictures again with the settings,
// crf above all; soften > 1: without the details that are smaller than so many samples. The result
// has the same pts, each once; dts and durations are not set. One thread decodes, so the same
// packets give the same result. Throws kStopped.
std::vector<PacketPtr> reencode(std::span<const PacketPtr> packets,
                                const AVCodecParameters& parameters,
                                const EncoderSettings& settings, int soften, const StopFlag& stop);

}  // namespace streamvsr
