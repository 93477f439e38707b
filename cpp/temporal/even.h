// Motion told from what the codec misplaced, by the motion before it.
#pragma once

#include "temporal/flow.h"
#include "temporal/relation.h"

namespace streamvsr {

// A codec puts a thing a little beside its place in every picture. The way into a picture and the
// way out of it have that error with opposite signs, so the mean of the two has less of it, as far
// as the thing went on at the same speed. A cell's motion becomes the mean of itself and of what
// the same thing moved by one picture earlier, the latter by how alike they are (none from half a
// sample of difference).
//
// What the camera changed is taken out first: the median of all the changes, in x and in y, since
// the codec errs each block in another way while a hand that shakes moves all of the picture.
//
// What stays where it is stays, what was still or not found again a picture earlier tells nothing,
// and nothing is told across a cut. Pictures of one size; `before` is the relation of the picture
// before to its own.
MotionField evened(const Relation& now, const Relation& before);

}  // namespace streamvsr
