#include "pipeline/preview.h"

#include <doctest/doctest.h>

#include "clip.h"
#include "media/hash.h"

using namespace streamvsr;
using namespace streamvsr::test;

TEST_CASE("a preview is the picture shown at its time, enhanced") {
  const TemporaryFolder folder;
  ClipOptions clip;
  clip.frames = 50;
  make_clip(folder / "in.mp4", clip);
  const auto enhancer = make_nearest_enhancer(2);
  const StopFlag stop;
  const auto at = [&](const double time) {
    JobConfig config;
    config.input = folder / "in.mp4";
    return preview_picture(config, time, *enhancer, {}, stop);
  };
  for (const double time : {0.0, 0.039, 1.0, 1.99}) {
    CAPTURE(time);
    const int number = static_cast<int>(time * 25.0 + 1e-6);
    const PreviewPicture preview = at(time);
    CHECK(drawn_number(preview.source) == number);
    CHECK(preview.time == doctest::Approx(number / 25.0));
    Planes source = preview.source.clone();
    const EnhanceInput input{&source, {}};
    const std::vector<Planes> enhanced = enhancer->run({&input, 1}, stop);
    CHECK(picture_hash(enhanced.front()) == picture_hash(preview.enhanced));
    for (const Planes* const shown : {&preview.before, &preview.after}) {
      CHECK(shown->format().width == 128);
      CHECK(shown->format().plane_width(1) == 128);
      CHECK(shown->format().rgb);
      CHECK(drawn_number(*shown) == number);
    }
  }
  CHECK_THROWS_WITH_AS(at(2.0), doctest::Contains("its video ends at 2.000 s"), Error);
  CHECK_THROWS_WITH_AS(at(9000.0), doctest::Contains("its video ends at 2.000 s"), Error);
  CHECK_THROWS_WITH_AS(at(-1.0), doctest::Contains("0 s or more"), Error);
}
