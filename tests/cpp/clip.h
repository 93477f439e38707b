// Inputs for tests: films made by the ffmpeg program, each frame with its number drawn as eight
// black or white blocks.
#pragma once

#include <cstdint>
#include <string>

#include "color/planes.h"
#include "temporary_folder.h"

namespace streamvsr::test {

struct ClipOptions {
  int width = 64, height = 48, frames = 30, rate = 25;
  std::string encode =
      "-c:v libx264 -preset ultrafast -qp 10";  // ffmpeg's arguments for the output
  std::string more_inputs;                      // e.g. "-f lavfi -i sine=d=2"
};

// Writes the film; fails the test when ffmpeg does.
void make_clip(const std::string& path, const ClipOptions& options);

// The number drawn in a picture, read from its first plane at any size.
int drawn_number(const Planes& picture);

void run_command(const std::string& command);
std::string output_of(const std::string& command);

}  // namespace streamvsr::test
