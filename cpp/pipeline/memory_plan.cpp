#include "pipeline/memory_plan.h"

#include <algorithm>
#include <vector>

#include "media/encoder_memory.h"
#include "media/packets.h"
#include "pipeline/memory_remedies.h"

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
// And where no limit is given at most this.
constexpr std::size_t kMostRehearsal = 256 * kMiB;
// A fragment is held as packets and once more by the muxer, whose buffer grows by half its size.
constexpr std::size_t kCopies = 3;

// What decoding packets of ours, and taking details from the pictures, takes beside the reference
// pictures.
constexpr int kOwnPictures = 6;

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
      if (needs.frames > 0 && plan.source + plan.enhanced + picture > needs.frames) return;
      *share += picture;
    }
  }
}

std::string said(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// Purpose: the search for the settings that fit into one limit. Thread-safety: none.
class Sharing {
 public:
  Sharing(const MemoryNeeds& needs, const std::size_t limit, EncoderSettings& encoder,
          int& decoder_threads)
      : needs_(needs),
        limit_(limit),
        encoder_(encoder),
        decoder_threads_(decoder_threads),
        asked_(encoder_load(encoder)),
        asked_threads_(encoder.threads),
        given_lookahead_(encoder.lookahead),
        wished_decoder_threads_(decoder_threads),
        least_encoder_(asked_.threads_given || needs.encoder_threads_given ? encoder.threads : 1),
        least_decoder_(needs.decoder_threads_given ? decoder_threads : 1),
        least_lookahead_(asked_.lookahead_given ? asked_.lookahead : asked_.least_lookahead) {}

  // With everything lowered that may be.
  MemoryPlan least() { return with(least_lookahead_, least_encoder_, least_decoder_); }

  // With nothing lowered, and draft and rehearsal where they are wished for.
  MemoryPlan whole() {
    draft_ = needs_.draft;
    rehearsal_ = beside_held(needs_.rehearsal);
    const MemoryPlan plan = with(asked_.lookahead, asked_threads_, wished_decoder_threads_);
    draft_ = rehearsal_ = 0;
    return plan;
  }

  // What fits; least() does.
  MemoryPlan search() {
    constexpr std::size_t zero = 0;
    const auto fits_unlowered = [&] {
      return fits(with(asked_.lookahead, asked_threads_, least_decoder_));
    };
    // The bytes depend on both: so they depend on nothing that the bytes do not, and of the encoder
    // nothing is lowered for them.
    draft_ = needs_.draft;
    if (!fits_unlowered()) draft_ = 0;
    const std::size_t part = std::min(needs_.rehearsal, limit_ / kRehearsalPart);
    for (const std::size_t pictures : {needs_.limit == 0 ? needs_.rehearsal : part, part, zero}) {
      rehearsal_ = beside_held(pictures);
      if (fits_unlowered()) break;
    }
    int d = wished_decoder_threads_;
    int e = asked_threads_;
    if (draft_ > 0 || rehearsal_ > 0)
      while (d > least_decoder_ && !fits(with(asked_.lookahead, e, d))) --d;
    while (d > least_decoder_ && !fits(with(least_lookahead_, least_encoder_, d))) --d;
    while (e > least_encoder_ && !fits(with(least_lookahead_, e, d))) --e;
    int lookahead = asked_.lookahead;
    while (lookahead > least_lookahead_ && !fits(with(lookahead, e, d))) --lookahead;
    return with(lookahead, e, d);
  }

  // The settings of an earlier run; only the decoder's threads are free.
  MemoryPlan keep(const MemoryChoice& kept) {
    draft_ = std::min(kept.draft, needs_.draft);
    rehearsal_ = beside_held(kept.rehearsal);
    const int lookahead = kept.lookahead > 0 ? kept.lookahead : asked_.lookahead;
    const int threads = needs_.encoder_threads_given ? asked_threads_ : kept.encoder_threads;
    int d = wished_decoder_threads_;
    while (d > least_decoder_ && !fits(with(lookahead, threads, d))) --d;
    return with(lookahead, threads, d);
  }

  void restore() { with(asked_.lookahead, asked_threads_, wished_decoder_threads_); }

  bool fits(const MemoryPlan& plan) const { return plan.used() <= limit_; }
  const EncoderLoad& asked() const { return asked_; }

  // What the settings now are instead of those asked for; empty: nothing was changed.
  std::string change() const {
    std::vector<std::string> changes;
    const auto change = [&](const char* const what, const int now, const int wished) {
      if (now != wished)
        changes.push_back(std::string(what) + " " + std::to_string(now) + " instead of " +
                          std::to_string(wished));
    };
    change("the encoder's look-ahead is", encoder_load(encoder_).lookahead, asked_.lookahead);
    change("its threads are", encoder_.threads, asked_threads_);
    change("the decoder's threads are", decoder_threads_, wished_decoder_threads_);
    return said(changes);
  }

  // The same of what the disk budget keeps.
  std::string left_out() const {
    std::vector<std::string> changes;
    if (draft_ < needs_.draft) changes.push_back("no draft is made for the disk budget");
    if (rehearsal_ < beside_held(needs_.rehearsal))
      changes.push_back("fewer pictures are rehearsed for the disk budget");
    return said(changes);
  }

 private:
  MemoryPlan with(const int lookahead, const int e_threads, const int d_threads) {
    encoder_.lookahead = lookahead == asked_.lookahead ? given_lookahead_ : lookahead;
    encoder_.threads = e_threads;
    decoder_threads_ = d_threads;
    MemoryPlan plan = fixed_parts(needs_, encoder_, d_threads);
    plan.limit = limit_;
    plan.rehearsal += rehearsal_;
    plan.packets += rehearsal_;
    // While it is encoded from, there are the packets held, the best ones found and new ones.
    if (draft_ > 0) plan.packets += draft_ + std::max(needs_.draft_encoder, 2 * needs_.held);
    plan.draft = draft_;
    return plan;
  }
  // More pictures than packets held later.
  std::size_t beside_held(const std::size_t pictures) const {
    return pictures - std::min(pictures, needs_.held);
  }

  const MemoryNeeds& needs_;
  const std::size_t limit_;
  EncoderSettings& encoder_;
  int& decoder_threads_;
  const EncoderLoad asked_;
  const int asked_threads_, given_lookahead_, wished_decoder_threads_;
  const int least_encoder_, least_decoder_, least_lookahead_;
  std::size_t rehearsal_ = 0, draft_ = 0;
};

// Half of what there is, and no more than leaves room for the network.
std::size_t automatic_limit(const MemoryNeeds& needs) {
  const std::size_t available = needs.machine.available;
  if (available == MachineFacts::kUnknown) return available;
  return std::min(available / 2, available - std::min(available, needs.workspace));
}

std::string reason(const MemoryNeeds& needs) {
  if (needs.limit > 0) return "to stay within max_memory_mb=" + mib(needs.limit);
  return "to take no more than half of the " + mib(needs.machine.available) +
         " MB of memory that are free";
}

}  // namespace

std::size_t least_memory(const MemoryNeeds& needs, EncoderSettings encoder, int decoder_threads) {
  return Sharing(needs, needs.limit, encoder, decoder_threads).least().used();
}

MemoryPlan plan_memory(const MemoryNeeds& given, EncoderSettings& encoder, int& decoder_threads,
                       const std::optional<MemoryChoice>& kept) {
  MemoryNeeds needs = given;
  const bool automatic = needs.limit == 0;
  if (automatic) needs.rehearsal = std::min(needs.rehearsal, kMostRehearsal);
  const std::size_t most = automatic ? automatic_limit(needs) : needs.limit;
  Sharing sharing(needs, most, encoder, decoder_threads);
  const MemoryPlan least = sharing.least();
  if (needs.frames > 0 && least.source + least.enhanced > needs.frames)
    refuse_frames(needs.frames, least);
  MemoryPlan whole = sharing.whole();
  const std::size_t beside =
      whole.used() - whole.decoder +
      (kSparePictures + static_cast<std::size_t>(std::max(1, needs.batch)) - kLeastPictures) *
          (needs.source_picture + needs.enhanced_picture);
  MemoryPlan plan;
  bool planned = false;
  if (kept) {
    plan = sharing.keep(*kept);
    planned = automatic || sharing.fits(plan);
    if (!planned) sharing.restore();
    if (const std::string change = sharing.change(); planned && !change.empty())
      plan.change = "as in the run that began this job " + change;
  }
  if (!planned) {
    if (!sharing.fits(least)) {
      sharing.restore();
      refuse_memory(needs, most, least, encoder, decoder_threads);
    }
    plan = sharing.search();
    const std::string change = sharing.change();
    const std::string left_out = automatic ? sharing.left_out() : "";
    if (!change.empty() || !left_out.empty())
      plan.change = reason(needs) + " " + change +
                    (change.empty() || left_out.empty() ? "" : ", ") + left_out;
  }
  plan.most = std::max(most, plan.used());
  plan.limit = plan.most;
  plan.beside = beside;
  share_rest(needs, plan);
  if (automatic) plan.limit = plan.used();
  return plan;
}

MemoryChoice memory_choice(const MemoryPlan& plan, const EncoderSettings& encoder) {
  return {encoder.threads, encoder.lookahead, plan.rehearsal, plan.draft};
}

}  // namespace streamvsr
