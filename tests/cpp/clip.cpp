#include "clip.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <memory>
#include <vector>

namespace streamvsr::test {

namespace {
constexpr int kBits = 8;
}

void run_command(const std::string& command) {
  INFO(command);
  REQUIRE(std::system(command.c_str()) == 0);
}

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  REQUIRE(pipe);
  std::string text;
  std::array<char, 4096> buffer{};
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe.get()))
    text.append(buffer.data(), n);
  return text;
}

void make_clip(const std::string& path, const ClipOptions& o) {
  const std::string y4m = path + ".y4m";
  {
    std::ofstream file(y4m, std::ios::binary);
    file << "YUV4MPEG2 W" << o.width << " H" << o.height << " F" << o.rate
         << ":1 Ip A1:1 C420mpeg2\n";
    const int cw = (o.width + 1) / 2;
    const int ch = (o.height + 1) / 2;
    for (int n = 0; n < o.frames; ++n) {
      file << "FRAME\n";
      std::vector<char> luma(static_cast<std::size_t>(o.width) * o.height);
      for (int y = 0; y < o.height; ++y)
        for (int x = 0; x < o.width; ++x) {
          const int bit = x * kBits / o.width;
          // The lower half moves, so that encoders have something to predict.
          const int value =
              y < o.height / 2 ? (n >> bit & 1 ? 235 : 16) : 16 + (x * 3 + y * 5 + n * 4) % 200;
          luma[static_cast<std::size_t>(y) * o.width + x] = static_cast<char>(value);
        }
      file.write(luma.data(), static_cast<std::streamsize>(luma.size()));
      const std::vector<char> chroma(static_cast<std::size_t>(cw) * ch * 2, static_cast<char>(128));
      file.write(chroma.data(), static_cast<std::streamsize>(chroma.size()));
    }
  }
  run_command("ffmpeg -v error -nostdin -y -i " + y4m + " " + o.more_inputs + " " + o.encode + " " +
              path);
  std::filesystem::remove(y4m);
}

int drawn_number(const Planes& picture) {
  const PlaneFormat& f = picture.format();
  const int y = f.height / 4;
  int number = 0;
  for (int bit = 0; bit < kBits; ++bit) {
    const int x = (2 * bit + 1) * f.width / (2 * kBits);
    const int code = f.depth > 8 ? picture.row<std::uint16_t>(0, y)[x] >> (f.depth - 8)
                                 : picture.row<std::uint8_t>(0, y)[x];
    number |= (code > 125 ? 1 : 0) << bit;
  }
  return number;
}

}  // namespace streamvsr::test
