// What the plan says of pictures: format, colour and shape, from the source to the encoder.
#pragma once

#include "media/decoder.h"
#include "media/input.h"
#include "pipeline/plan.h"

namespace streamvsr {

// How a source will be read.
struct Reading {
  SourceIndex index;
  Decoder first;  // has handed out the first picture
};

// From a plan with its configuration, the decoder's threads among it: the decoder's settings, the
// source's times, format and colour, the encoder's tags, and what a user should know of them.
Reading plan_reading(const Input& input, const PlanningTick& tick, const StopFlag& stop,
                     JobPlan& plan);

// Of a plan whose output is described: whether the encoder marks the pictures of which a display is
// to show fields again, and what a user should know where it cannot.
void plan_telecine(const Input& input, JobPlan& plan);

// The encoder's settings, for pictures that describe_source() described, enhanced to this format.
void describe_output(const PlaneFormat& enhanced, JobPlan& plan);

// What a format is where another size is asked for; one side alone keeps the shape. Throws kConfig
// for sizes that the format cannot have.
PlaneFormat output_size(const JobConfig& config, const PlaneFormat& enhanced, PlaneFormat format);

}  // namespace streamvsr
