// Chapters that FFmpeg does not tell of.
#pragma once

#include <string>
#include <vector>

#include "media/input.h"

namespace streamvsr {

// Sentences about what is lost of a Matroska file's chapters: their order, parts that lie in other
// files, those of further editions, nested or out of order. FFmpeg reads a plain list of them.
std::vector<std::string> lost_chapters(const Input& input);

}  // namespace streamvsr
