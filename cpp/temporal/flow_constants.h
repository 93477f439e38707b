// What the search for motion goes by, wherever it is computed: by the loops of flow.cpp and
// agree.cpp, and by tensors that are given these numbers (enhance/device_flow.cpp).
#pragma once

#include "temporal/gray_pyramid.h"

namespace streamvsr::flow {

// Patches, in flow.cpp.
inline constexpr int kPatch = 8;
inline constexpr int kSteps = 6;          // of one patch, at most
inline constexpr float kStill = 0.04F;    // samples; a smaller step ends the search
inline constexpr float kFarthest = 8.0F;  // samples from where a search began
inline constexpr float kGoodFit = 0.75F;  // codes a sample; nothing to be gained below
inline constexpr float kFlat = 64.0F;     // a patch of less structure than this stays
// Codes a sample by which moving must be better than staying: noise makes still things move.
inline constexpr float kMargin = 0.25F;
// What a cell that was copied from the picture before tells of its motion: slow things are copied
// for some pictures, and then put right.
inline constexpr float kCopied = 0.2F;
inline constexpr float kNever = 1e9F;  // codes; no two patches differ so much
inline constexpr float kGain = 0.02F;  // codes; a step that gains less was the last
// Where a patch may lie in the picture before: from the first on, and to its size and the second.
inline constexpr float kFirstPlace = 2.0F - GrayPlane::kBorder;
inline constexpr int kLastPlace = GrayPlane::kBorder - 11;

// Agreement, in agree.cpp.
inline constexpr int kReach = 5;           // cells to each side
inline constexpr float kDeviation = 2.5F;  // cells
inline constexpr float kAlike = 0.5F;  // samples; ways that differ by more have nothing in common
// Share of still cells around, from which a still one stays.
inline constexpr float kStaying = 0.7F;

}  // namespace streamvsr::flow
