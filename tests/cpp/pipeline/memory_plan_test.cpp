// How a limit of memory is shared out.
#include <doctest/doctest.h>

#include <random>

#include "media/encoder_memory.h"
#include "pipeline/memory_example.h"

namespace streamvsr {
namespace {

TEST_CASE("with plenty of memory nothing is changed and the queues are full-sized") {
  Example e(640, 360, "h264", "medium");
  const MemoryPlan plan = e.plan(4096);
  CHECK(plan.change.empty());
  CHECK(e.encoder.lookahead == 0);
  CHECK(e.encoder.threads == 8);
  CHECK(e.decoder_threads == 8);
  CHECK(plan.source == 9 * e.needs.source_picture);
  CHECK(plan.enhanced == 9 * e.needs.enhanced_picture);
  CHECK(plan.used() <= plan.limit);
}

TEST_CASE("look-ahead goes first, then the encoder's threads, then the decoder's") {
  int last_lookahead = 41, last_encoder = 9, last_decoder = 9;
  for (std::size_t megabytes = 4096; megabytes >= 64; megabytes -= 16) {
    Example e(1920, 1080, "h264", "medium");
    try {
      const MemoryPlan plan = e.plan(megabytes);
      CHECK(plan.used() <= plan.limit);
      const int lookahead = encoder_load(e.encoder).lookahead;
      CHECK(lookahead >= 5);
      if (e.encoder.threads < 8) CHECK(plan.change.find("threads are") != std::string::npos);
      if (e.decoder_threads < 8) CHECK(e.encoder.threads == 1);
      if (e.encoder.threads == last_encoder && e.decoder_threads == last_decoder)
        CHECK(lookahead <= last_lookahead);
      CHECK(e.encoder.threads <= last_encoder);
      CHECK(e.decoder_threads <= last_decoder);
      CHECK(plan.change.empty() ==
            (lookahead == 40 && e.encoder.threads == 8 && e.decoder_threads == 8));
      last_lookahead = lookahead;
      last_encoder = e.encoder.threads;
      last_decoder = e.decoder_threads;
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kMemory);
      break;
    }
  }
  CHECK(last_lookahead < 40);
  CHECK(last_encoder == 1);
  CHECK(last_decoder < 8);
}

TEST_CASE("a refusal names the smallest limit that would do, to the megabyte") {
  for (const char* const codec : {"h264", "hevc", "ffv1"}) {
    CAPTURE(codec);
    const char* const preset = *codec == 'f' ? "" : "medium";
    std::size_t least = 0;
    try {
      Example(1920, 1080, codec, preset).plan(64);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kMemory);
      least = asked_for(error);
    }
    const MemoryPlan plan = Example(1920, 1080, codec, preset).plan(least);
    CHECK(plan.used() <= least * kMiB);
    CHECK(plan.source >= 2 * Example(1920, 1080, codec, preset).needs.source_picture);
    CHECK_THROWS_AS(Example(1920, 1080, codec, preset).plan(least - 1), Error);
  }
}

TEST_CASE("what the user asked for is counted and never changed") {
  Example plain(1920, 1080, "h264", "medium");
  plain.plan(1024);
  CHECK(plain.encoder.lookahead > 0);

  Example given(1920, 1080, "h264", "medium");
  given.encoder.options["rc-lookahead"] = "40";
  CHECK_THROWS_AS(given.plan(1024), Error);
  CHECK(given.plan(2048).change.find("look-ahead") == std::string::npos);
  CHECK(given.encoder.lookahead == 0);

  Example threads(1920, 1080, "h264", "medium");
  threads.needs.encoder_threads_given = threads.needs.decoder_threads_given = true;
  CHECK_THROWS_AS(threads.plan(800), Error);
  threads.encoder.threads = threads.decoder_threads = 1;
  threads.plan(800);
  CHECK(threads.encoder.threads == 1);
}

TEST_CASE("the same needs give the same plan, and more memory never less of anything") {
  std::minstd_rand random(7);
  for (int i = 0; i < 40; ++i) {
    const int width = 64 * (1 + static_cast<int>(random() % 30));
    const int height = 36 * (1 + static_cast<int>(random() % 30));
    const char* const codec = random() % 2 == 0 ? "h264" : "hevc";
    const std::size_t megabytes = 700 + random() % 2000;
    try {
      Example a(width, height, codec, "fast");
      Example b(width, height, codec, "fast");
      Example more(width, height, codec, "fast");
      const MemoryPlan first = a.plan(megabytes);
      const MemoryPlan second = b.plan(megabytes);
      CHECK(first.encoder == second.encoder);
      CHECK(first.source == second.source);
      CHECK(a.encoder.lookahead == b.encoder.lookahead);
      more.plan(megabytes + 100);
      CHECK(more.encoder.threads >= a.encoder.threads);
      CHECK(more.decoder_threads >= a.decoder_threads);
    } catch (const Error& error) {
      CHECK(asked_for(error) > megabytes);
    }
  }
}

TEST_CASE("a draft is planned where nothing of the encoder is lowered for it, or not at all") {
  bool with = false, without = false;
  for (std::size_t megabytes = 4096; megabytes >= 512; megabytes -= 32) {
    Example e(960, 540, "hevc", "medium"), none(960, 540, "hevc", "medium");
    e.needs.held = none.needs.held = 31 * kMiB;
    e.needs.draft = 124 * kMiB;
    e.needs.draft_encoder = 40 * kMiB;
    try {
      const MemoryPlan expected = none.plan(megabytes);
      const MemoryPlan plan = e.plan(megabytes);
      CHECK(plan.used() <= plan.limit);
      CHECK((plan.draft == 0 || plan.draft == e.needs.draft));
      CHECK(e.encoder.lookahead == none.encoder.lookahead);
      CHECK(e.encoder.threads == none.encoder.threads);
      if (plan.draft > 0) {
        with = true;
        // Packets of the draft, and two more sets of those that wait.
        CHECK(plan.packets == expected.packets + e.needs.draft + 2 * e.needs.held);
        CHECK(plan.change.find("the encoder's") == std::string::npos);
      } else {
        without = true;
        CHECK(plan.packets == expected.packets);
      }
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kMemory);
      break;
    }
  }
  CHECK(with);
  CHECK(without);
}

}  // namespace
}  // namespace streamvsr
