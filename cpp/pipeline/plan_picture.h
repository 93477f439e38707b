// What the plan says of pictures: format, colour and shape, from the source to the encoder.
#pragma once

#include "media/decoder.h"
#include "media/input.h"
#include "pipeline/plan.h"

namespace streamvsr {

// For a decoder that looks at the first picture. Adds what a user should know to the plan.
DecoderSettings probing_settings(const JobConfig& config, const Input& input, JobPlan& plan);

// From a decoder that has handed out its first picture: the decoder's settings, the source's format
// and colour, the encoder's tags.
void describe_source(const Input& input, const Decoder& decoder, JobPlan& plan);

// The encoder's settings, for pictures that describe_source() described, enhanced to this format.
void describe_output(const PlaneFormat& enhanced, JobPlan& plan);

// What a format is where another size is asked for; one side alone keeps the shape. Throws kConfig
// for sizes that the format cannot have.
PlaneFormat output_size(const JobConfig& config, const PlaneFormat& enhanced, PlaneFormat format);

}  // namespace streamvsr
