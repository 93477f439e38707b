#include "pipeline/memory_plan.h"

#include <algorithm>

#include "media/encoder_memory.h"
#include "media/packets.h"

namespace streamvsr {

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
// Tables of FFmpeg's, stacks, demuxers and muxer.
constexpr std::size_t kFixed = 12 * kMiB;
// What a demuxer reads and keeps to find a file's streams (FFmpeg's probesize), and how many have
// not handed it out yet.
constexpr std::size_t kProbed = 5'000'000;
constexpr std::size_t kProbing = 2;
// Pictures that keep the stages at work: one in hand, one waiting.
constexpr std::size_t kLeastPictures = 2;
// More than this beside a batch does not make anything quicker.
constexpr std::size_t kSparePictures = 5;
// Pictures kept for a rehearsal are at most this part of the limit, or as many as packets later.
constexpr std::size_t kRehearsalPart = 8;
// A fragment is held as packets and once more by the muxer, whose buffer grows by half its size.
constexpr std::size_t kCopies = 3;

// What decoding packets of ours, and taking details from the pictures, takes beside the reference
// pictures.
constexpr int kOwnPictures = 6;

std::size_t in_mib(const std::size_t bytes) { return (bytes + kMiB - 1) / kMiB; }
std::string mib(const std::size_t bytes) { return std::to_string(in_mib(bytes)); }

std::size_t packets_share(const MemoryNeeds& needs, const EncoderSettings& encoder) {
  const std::size_t picture =
      needs.encoded_picture > 0 ? needs.encoded_picture : needs.enhanced_picture;
  // Lossless packets may be a little larger than their picture, others are never as large.
  const std::size_t largest = encoder.codec == "ffv1" ? picture * 11 / 10 : picture / 2;
  const std::size_t second = static_cast<std::size_t>(needs.fragment_frames) * largest;
  const std::size_t video = std::min(second, kFragmentBytes) + largest;
  std::size_t bytes = kCopies * video;
  if (needs.copied_streams) bytes += kCopies * kCopiedBytes + PacketSource::kMostPending;
  // Those of a segment, and a decoder for them beside the encoder: they may have to be encoded
  // again.
  if (needs.held > 0)
    bytes += needs.held + largest +
             static_cast<std::size_t>(encoder_load(encoder).references + kOwnPictures) * picture;
  return bytes;
}

// All but `source` and `enhanced`.
MemoryPlan fixed_parts(const MemoryNeeds& needs, const EncoderSettings& encoder,
                       const int decoder_threads) {
  MemoryPlan plan;
  plan.limit = needs.limit;
  plan.decoder = decoder_bytes(needs.decoder, decoder_threads) +
                 static_cast<std::size_t>(needs.look_back) * needs.source_picture;
  plan.encoder = encoder_bytes(encoder) + needs.encoded_picture;
  plan.held = plan.rehearsal = needs.held;
  plan.packets = packets_share(needs, encoder);
  plan.fixed = kFixed + kProbing * std::min(needs.source_bytes, kProbed);
  plan.workspace = needs.workspace;
  plan.source = kLeastPictures * needs.source_picture;
  plan.enhanced = kLeastPictures * needs.enhanced_picture;
  return plan;
}

// Gives the stages what is left, a picture of either kind at a time.
void share_rest(const MemoryNeeds& needs, MemoryPlan& plan) {
  const std::size_t most = kSparePictures + static_cast<std::size_t>(std::max(1, needs.batch));
  for (std::size_t n = kLeastPictures; n < most; ++n) {
    for (auto [share, picture] : {std::pair{&plan.enhanced, needs.enhanced_picture},
                                  std::pair{&plan.source, needs.source_picture}}) {
      if (plan.used() + picture > plan.limit) return;
      *share += picture;
    }
  }
}

std::string said(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

[[noreturn]] void refuse(const MemoryPlan& least, const EncoderSettings& encoder,
                         const EncoderLoad& load) {
  throw Error(ErrorKind::kMemory,
              "max_memory_mb=" + mib(least.limit) + " is too small for this job: it needs " +
                  mib(least.used()) + " (the encoder " + mib(least.encoder) + ", the decoder " +
                  mib(least.decoder) + ", pictures between them " +
                  mib(least.source + least.enhanced) + ", packets " + mib(least.packets) +
                  ", the rest " + mib(least.fixed) + "); give max_memory_mb=" + mib(least.used()) +
                  " or more" +
                  (load.lookahead_given || load.threads_given
                       ? ", leave out the encoder options that set its look-ahead or threads"
                       : "") +
                  (encoder.codec == "ffv1" ? "" : ", or choose a faster encoder_preset"));
}

}  // namespace

MemoryPlan plan_memory(const MemoryNeeds& needs, EncoderSettings& encoder, int& decoder_threads) {
  const EncoderLoad asked = encoder_load(encoder);
  const int encoder_threads = encoder.threads;
  const int given_lookahead = encoder.lookahead;
  const int wished_decoder_threads = decoder_threads;
  const bool fixed_encoder = asked.threads_given || needs.encoder_threads_given;
  const int least_encoder = fixed_encoder ? encoder_threads : 1;
  const int least_decoder = needs.decoder_threads_given ? decoder_threads : 1;
  const int least_lookahead = asked.lookahead_given ? asked.lookahead : asked.least_lookahead;

  std::size_t rehearsal = 0;  // more than the packets held later
  std::size_t draft = 0;
  const auto with = [&](const int lookahead, const int e_threads, const int d_threads) {
    encoder.lookahead = lookahead == asked.lookahead ? given_lookahead : lookahead;
    encoder.threads = e_threads;
    decoder_threads = d_threads;
    MemoryPlan plan = fixed_parts(needs, encoder, d_threads);
    plan.rehearsal += rehearsal;
    plan.packets += rehearsal;
    // While it is encoded from, there are the packets held, the best ones found and new ones.
    if (draft > 0) plan.packets += draft + std::max(needs.draft_encoder, 2 * needs.held);
    plan.draft = draft;
    return plan;
  };
  const auto fits = [&](const MemoryPlan& plan) { return plan.used() <= plan.limit; };

  MemoryPlan plan = with(least_lookahead, least_encoder, least_decoder);
  if (!fits(plan)) refuse(plan, encoder, asked);
  // The bytes depend on both: so they depend on nothing that the bytes do not, and of the encoder
  // nothing is lowered for them.
  const auto fits_unlowered = [&] {
    return fits(with(asked.lookahead, encoder_threads, least_decoder));
  };
  draft = needs.draft;
  if (!fits_unlowered()) draft = 0;
  const std::size_t pictures = std::min(needs.rehearsal, needs.limit / kRehearsalPart);
  rehearsal = pictures > needs.held ? pictures - needs.held : 0;
  if (!fits_unlowered()) rehearsal = 0;
  int d = wished_decoder_threads;
  int e = encoder_threads;
  if (draft > 0 || rehearsal > 0)
    while (d > least_decoder && !fits(with(asked.lookahead, e, d))) --d;
  while (d > least_decoder && !fits(with(least_lookahead, least_encoder, d))) --d;
  while (e > least_encoder && !fits(with(least_lookahead, e, d))) --e;
  int lookahead = asked.lookahead;
  while (lookahead > least_lookahead && !fits(with(lookahead, e, d))) --lookahead;
  plan = with(lookahead, e, d);

  std::vector<std::string> changes;
  const auto change = [&](const char* const what, const int now, const int wished) {
    if (now != wished)
      changes.push_back(std::string(what) + " " + std::to_string(now) + " instead of " +
                        std::to_string(wished));
  };
  change("the encoder's look-ahead is", lookahead, asked.lookahead);
  change("its threads are", e, encoder_threads);
  change("the decoder's threads are", d, wished_decoder_threads);
  if (!changes.empty())
    plan.change = "to stay within max_memory_mb=" + mib(needs.limit) + " " + said(changes);
  share_rest(needs, plan);
  return plan;
}

}  // namespace streamvsr
