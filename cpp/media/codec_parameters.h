// Parameters of a stream that its container leaves out and its packets carry.
#pragma once

#include <memory>

#include "media/input.h"

namespace streamvsr {

using SharedParameters = std::shared_ptr<const AVCodecParameters>;

// Whether the container says too little about a stream for a muxer to write its header.
bool lacks_parameters(const AVCodecParameters& parameters);

// The parameters of a stream that lacks_parameters(), completed from its first packets by a demuxer
// of its own. Null when those packets do not carry them. A pure function of the file.
//
// Note [parameters before the header]: muxers can take some parameters from the first packet, but
// then the header depends on when that packet comes, and Matroska's muxer writes it at the end of
// the job. So they are read when the job is planned, and every muxer gets them at the start.
SharedParameters learn_parameters(const Input& input, int index);

}  // namespace streamvsr
