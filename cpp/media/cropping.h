// The part of a source's pictures that is shown, where the container tells it and no codec's header
// does.
#pragma once

#include <optional>

#include "media/input.h"

namespace streamvsr {

// Samples at the edges of a decoded picture that are not shown; none of them negative.
struct Cropping {
  int left = 0, top = 0, right = 0, bottom = 0;

  bool none() const { return *this == Cropping{}; }
  bool operator==(const Cropping&) const = default;
};

struct ContainerCropping {
  Cropping cropping;
  // The shape of a sample, where the container told it by the size that the shown part has on the
  // screen; FFmpeg takes that size for the whole picture's.
  std::optional<AVRational> aspect;
  bool senseless = false;  // it tells a part that is empty, or no part: cropping is none
};

// Of an input's enhanced stream: Matroska's PixelCrop elements, the clean aperture (`clap`) of MP4
// and MOV. None where the file tells none, or is too damaged to be understood; a bounded number of
// reads. Throws kIo where the medium fails.
ContainerCropping container_cropping(const Input& input);

// Takes the edges off a frame; no sample is copied. Left and top are rounded down to whole cells of
// chroma, so that a column or row too many is shown rather than one too few; formats with less than
// a byte a sample keep both. A frame of which nothing would be left keeps all.
void crop(AVFrame& frame, const Cropping& cropping);

}  // namespace streamvsr
