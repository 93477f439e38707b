// What a container will keep of a source's description, found out by writing it into memory and
// reading it back.
#pragma once

#include <string>
#include <vector>

#include "media/streams.h"

namespace streamvsr {

struct KeptDescription {
  TagForm tags = TagForm::kUsual;     // the form that keeps most of the file's tags
  std::vector<std::string> warnings;  // tags and a display matrix that are lost or changed
};

// video: the enhanced stream.
KeptDescription find_kept(const Input& input, const PlannedStream& video, Container container);

}  // namespace streamvsr
