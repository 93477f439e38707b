#include <cstring>

#include "base/error.h"
#include "enhance/enhancer.h"

namespace streamvsr {

namespace {

template <class Sample>
void repeat_plane(const Planes& source, Planes& result, const int plane, const int scale) {
  const PlaneFormat& from = source.format();
  const PlaneFormat& to = result.format();
  // An odd size's chroma plane may have less than scale times the samples: the surplus is cut off.
  const int width = to.plane_width(plane);
  for (int y = 0; y < to.plane_height(plane); ++y) {
    const Sample* in = source.row<Sample>(plane, y / scale);
    Sample* out = result.row<Sample>(plane, y);
    if (y % scale != 0) {
      std::memcpy(out, result.row<Sample>(plane, y - 1), sizeof(Sample) * width);
      continue;
    }
    for (int x = 0, at = 0; x < from.plane_width(plane); ++x) {
      for (int i = 0; i < scale && at < width; ++i) out[at++] = in[x];
    }
  }
}

// Purpose: the simplest enhancer there can be. Thread-safety and ownership: as Enhancer.
class NearestEnhancer final : public Enhancer {
 public:
  explicit NearestEnhancer(const int scale) : scale_(scale) {}

  int scale() const override { return scale_; }
  std::size_t workspace_bytes(const PlaneFormat&) const override { return 0; }
  std::string describe() const override { return "nearest"; }

  std::vector<Planes> run(const std::span<const EnhanceInput> batch,
                          const StopFlag& stop) override {
    std::vector<Planes> results;
    for (const EnhanceInput& input : batch) {
      stop.check();
      const PlaneFormat& format = input.picture->format();
      Planes result(output_format(format));
      for (int plane = 0; plane < format.plane_count; ++plane) {
        if (format.depth > 8) {
          repeat_plane<std::uint16_t>(*input.picture, result, plane, scale_);
        } else {
          repeat_plane<std::uint8_t>(*input.picture, result, plane, scale_);
        }
      }
      results.push_back(std::move(result));
    }
    return results;
  }

 private:
  int scale_;
};

}  // namespace

std::unique_ptr<Enhancer> make_nearest_enhancer(const int scale) {
  if (scale < 1 || scale > 16) {
    throw Error(ErrorKind::kConfig, "scale is " + std::to_string(scale) + ": use 1 to 16");
  }
  return std::make_unique<NearestEnhancer>(scale);
}

}  // namespace streamvsr
