// How much there is to see in the parts of a picture.
#pragma once

#include <vector>

#include "temporal/gray_pyramid.h"
#include "temporal/parallel.h"

namespace streamvsr {

// By cell of a MotionField, row by row: the mean difference of a sample from the next one to the
// right and from the next one below, added up, over the 3 x 3 cells around it; codes of 8 bits.
std::vector<float> detail(const GrayPlane& gray, const Parallel& parallel);

// Codes, added to a detail that something is a share of: where there is hardly any, it is noise's.
inline constexpr float kAnyDetail = 0.5F;

// 0..1: how far a cell of an earlier picture, with so much detail, can stand in for one of now. A
// codec spends less on some pictures than on others. One that shows less would take from the detail
// of now, one that shows more takes nothing away.
float stands_in(float earlier, float now);

}  // namespace streamvsr
