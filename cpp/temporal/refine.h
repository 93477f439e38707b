// Motion that the whole picture agrees to.
#pragma once

#include "temporal/flow.h"
#include "temporal/gray_pyramid.h"
#include "temporal/parallel.h"

namespace streamvsr {

// Refines what a search found, by the combined local-global method (Bruhn, Weickert, Schnoerr:
// Lucas/Kanade Meets Horn/Schunck, IJCV 61, 2005) on cells: the samples around a cell pull it to
// where they fit, its four neighbours to their own ways, the less the more these differ, and looked
// for are the ways at which all pulls are in balance. Differences count without their mean, as in
// the search. Cells that have not moved are held where they are; afterwards what moves by a unit
// has not moved either. Pictures of the motion's size.
void refine(const GrayPlane& now, const GrayPlane& before, MotionField& motion,
            const Parallel& parallel);

}  // namespace streamvsr
