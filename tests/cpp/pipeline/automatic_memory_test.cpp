// What a job takes where no limit is given, and what a resumed one keeps.
#include <doctest/doctest.h>

#include <tuple>
#include <vector>

#include "media/encoder_memory.h"
#include "pipeline/disk_budget.h"
#include "pipeline/memory_example.h"

namespace streamvsr {
namespace {

// As the pipeline plans it: with packets that wait for the disk budget, a rehearsal and a draft.
Example job(const int width, const int height, const int scale, const char* const codec,
            const AVPixelFormat format) {
  Example e(width, height, codec, *codec == 'f' ? "" : "medium", scale, format);
  e.needs.copied_streams = true;
  e.needs.source_bytes = 100'000'000;
  e.needs.batch = 1;
  if (*codec == 'f') return e;
  e.needs.held = DiskBudget::held_bytes(e.needs.enhanced_picture, 300.0);
  e.needs.rehearsal = (*codec == 'h' && codec[1] == '2' ? 12 : 32) * e.needs.enhanced_picture;
  e.needs.draft = DiskBudget::draft_bytes(e.needs.held);
  EncoderSettings draft = e.encoder;
  draft.codec = "h264";
  draft.preset = "ultrafast";
  e.needs.draft_encoder = encoder_bytes(draft);
  return e;
}

struct Film {
  int width, height, scale;
};
constexpr Film kFilms[] = {{320, 180, 2},   {640, 360, 2},   {960, 540, 2},  {960, 540, 4},
                           {1280, 720, 1},  {1280, 720, 2},  {1280, 720, 3}, {1920, 1080, 1},
                           {1920, 1080, 2}, {2560, 1440, 1}, {3840, 2160, 1}};
struct Coding {
  const char* codec;
  AVPixelFormat format;
};
constexpr Coding kCodings[] = {{"h264", AV_PIX_FMT_YUV420P},   {"h264", AV_PIX_FMT_YUV420P10},
                               {"hevc", AV_PIX_FMT_YUV420P},   {"hevc", AV_PIX_FMT_YUV420P10},
                               {"hevc", AV_PIX_FMT_YUV420P12}, {"av1", AV_PIX_FMT_YUV420P},
                               {"av1", AV_PIX_FMT_YUV420P10},  {"ffv1", AV_PIX_FMT_YUV420P},
                               {"ffv1", AV_PIX_FMT_YUV420P10}, {"ffv1", AV_PIX_FMT_YUV420P16}};

TEST_CASE("codec x depth x size up to 4K: what fits into half of 8, 16 or 24 GiB is planned") {
  int refused = 0;
  for (const Film& film : kFilms)
    for (const Coding& coding : kCodings) {
      std::size_t last_used = 0;
      for (const std::size_t gib : {std::size_t{8}, std::size_t{16}, std::size_t{24}})
        for (const int threads : {1, 2, 8, 32}) {
          CAPTURE(film.width);
          CAPTURE(film.scale);
          CAPTURE(coding.codec);
          CAPTURE(static_cast<int>(coding.format));
          CAPTURE(gib);
          CAPTURE(threads);
          const auto make = [&] {
            Example e = job(film.width, film.height, film.scale, coding.codec, coding.format);
            e.encoder.threads = e.decoder_threads = threads;
            return e;
          };
          Example e = make();
          try {
            const MemoryPlan plan = e.automatic(gib * kGiB);
            CHECK(plan.used() <= gib * kGiB / 2);
            CHECK(plan.limit == plan.used());
            // Nothing is lowered that need not be.
            Example all = make();
            const MemoryPlan whole = all.automatic(MachineFacts::kUnknown);
            CHECK(whole.change.empty());
            CHECK(plan.change.empty() ==
                  (whole.used() - whole.source - whole.enhanced +
                       2 * (e.needs.source_picture + e.needs.enhanced_picture) <=
                   gib * kGiB / 2));
            CHECK(whole.used() >= plan.used());
            if (threads == 8) {
              CHECK(plan.used() >= last_used);
              last_used = plan.used();
            }
          } catch (const Error& error) {
            ++refused;
            CHECK(error.kind() == ErrorKind::kMemory);
            // It needs more than half, and does with what the refusal names.
            const std::size_t asked = asked_for(error);
            REQUIRE(asked > gib * kGiB / 2 / kMiB);
            CHECK(make().plan(asked).used() <= asked * kMiB);
          }
        }
    }
  MESSAGE(refused << " combinations need more than half");
  // AV1 of 10 bits in 4K out of 4K alone, with 8 GiB.
  CHECK(refused <= 4);
}

TEST_CASE("jobs that were refused at 1024 MB are planned whole on a machine with 22 GiB free") {
  for (const auto& [film, coding] :
       {std::pair{Film{1920, 1080, 2}, Coding{"h264", AV_PIX_FMT_YUV420P10}},
        {Film{3840, 2160, 2}, Coding{"h264", AV_PIX_FMT_YUV420P}},
        {Film{1280, 720, 4}, Coding{"h264", AV_PIX_FMT_YUV420P}},
        {Film{1920, 1080, 2}, Coding{"hevc", AV_PIX_FMT_YUV420P}},
        {Film{1920, 1080, 2}, Coding{"av1", AV_PIX_FMT_YUV420P}}}) {
    Example e = job(film.width, film.height, film.scale, coding.codec, coding.format);
    e.encoder.threads = e.decoder_threads = 2;
    CHECK(e.automatic(22 * kGiB).change.empty());
  }
}

TEST_CASE("a network's workspace is left beside the job") {
  Example e = job(1920, 1080, 2, "h264", AV_PIX_FMT_YUV420P);
  e.needs.workspace = 3 * kGiB;
  CHECK(e.automatic(4 * kGiB).used() <= 1 * kGiB);
  CHECK_THROWS_AS(e.automatic(3 * kGiB), Error);
}

TEST_CASE("a resumed job keeps what was decided, whatever is free by then") {
  int lowered = 0;
  for (const Coding& coding : kCodings)
    for (const std::size_t first : {2 * kGiB, 3 * kGiB, 6 * kGiB, 40 * kGiB}) {
      CAPTURE(coding.codec);
      CAPTURE(first);
      Example begun = job(1920, 1080, 2, coding.codec, coding.format);
      MemoryPlan plan;
      try {
        plan = begun.automatic(first);
      } catch (const Error&) {
        continue;
      }
      const MemoryChoice choice = memory_choice(plan, begun.encoder);
      CHECK(choice.valid());
      lowered += plan.change.empty() ? 0 : 1;
      for (const std::size_t then : {64 * kMiB, 1 * kGiB, first, 5 * kGiB, 64 * kGiB}) {
        Example resumed = job(1920, 1080, 2, coding.codec, coding.format);
        const MemoryPlan again = resumed.automatic(then, choice);
        CHECK(memory_choice(again, resumed.encoder) == choice);
        if (choice.lookahead > 0) CHECK(again.change.find("look-ahead") != std::string::npos);
      }
      // A limit that it fits into changes nothing either.
      Example limited = job(1920, 1080, 2, coding.codec, coding.format);
      limited.needs.limit = 40 * kGiB;
      const MemoryPlan with_limit =
          plan_memory(limited.needs, limited.encoder, limited.decoder_threads, choice);
      CHECK(memory_choice(with_limit, limited.encoder) == choice);
    }
  CHECK(lowered > 3);
}

TEST_CASE("a limit of pictures in flight leaves the codecs alone") {
  Example e = job(1920, 1080, 2, "hevc", AV_PIX_FMT_YUV420P10);
  e.needs.frames = 1024 * kMiB;
  const MemoryPlan plan = e.automatic(22 * kGiB);
  CHECK(plan.change.empty());
  CHECK(plan.used() > 1024 * kMiB);
  CHECK(plan.source + plan.enhanced <= 1024 * kMiB);
  Example tight = job(1920, 1080, 2, "hevc", AV_PIX_FMT_YUV420P10);
  tight.needs.frames = 64 * kMiB;
  const MemoryPlan least = tight.automatic(22 * kGiB);
  CHECK(least.source + least.enhanced <= 64 * kMiB);
  CHECK(least.encoder == plan.encoder);
  tight.needs.frames = 48 * kMiB;
  CHECK_THROWS_AS(tight.automatic(22 * kGiB), Error);
}

TEST_CASE("every remedy of a refusal does") {
  // The value behind a name, quotes left out; empty: the refusal does not name it.
  const auto value = [](const std::string& text, const std::string& name) {
    const std::size_t at = text.rfind(name + "=");
    if (at == text.npos) return std::string();
    std::string found = text.substr(at + name.size() + 1);
    found.resize(found.find_first_of(" ,;"));
    std::erase(found, '\'');
    return found;
  };
  int presets = 0, codecs = 0, options = 0, threads = 0;
  for (const Coding& coding : kCodings)
    for (const std::size_t megabytes : {400, 600, 800, 1000, 1400, 1900}) {
      CAPTURE(coding.codec);
      CAPTURE(megabytes);
      for (const int given : {0, 1, 2}) {
        CAPTURE(given);
        const auto make = [&] {
          Example e = job(1920, 1080, 2, coding.codec, coding.format);
          if (given == 1 && e.encoder.codec == "h264") e.encoder.options["rc-lookahead"] = "60";
          if (given == 2) e.needs.encoder_threads_given = true;
          return e;
        };
        std::string text;
        try {
          make().plan(megabytes);
          continue;
        } catch (const Error& error) {
          text = error.what();
        }
        CHECK_NOTHROW(make().plan(std::stoul(value(text, "max_memory_mb") + " ")));
        if (const std::string preset = value(text + " ", "encoder_preset"); !preset.empty()) {
          Example e = make();
          e.encoder.preset = preset;
          CHECK_NOTHROW(e.plan(megabytes));
          ++presets;
        }
        if (value(text + " ", "codec") == "h264") {
          Example e = make();
          e.encoder.codec = "h264";
          CHECK_NOTHROW(e.plan(megabytes));
          ++codecs;
        }
        if (value(text + " ", "encoder_threads") == "0") {
          Example e = make();
          e.needs.encoder_threads_given = false;
          CHECK_NOTHROW(e.plan(megabytes));
          ++threads;
        }
        if (text.find("leave out the encoder options rc-lookahead") != text.npos) {
          Example e = make();
          e.encoder.options.clear();
          CHECK_NOTHROW(e.plan(megabytes));
          ++options;
        }
      }
    }
  CHECK(presets > 0);
  CHECK(codecs > 0);
  CHECK(options > 0);
  CHECK(threads > 0);
}

}  // namespace
}  // namespace streamvsr
