// The streams that are not enhanced: pulled from a demuxer of their own as the writer reaches their
// time.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/stop.h"
#include "media/adts.h"
#include "media/pcm.h"
#include "media/streams.h"
#include "media/subtitles.h"

namespace streamvsr {

// A packet on its way to the muxer. Times are ticks of time_base, already moved to the output's
// clock.
struct OutPacket {
  PacketPtr packet;      // stream_index is the output's
  AVRational time_base;  // of packet's times
  bool last = false;     // holds the film's last picture, as far as that is known before
};

// Sound of up to this long before the start, of which a source's edit list says that it is not to
// be heard, is a codec's priming and kept for it, us. Matroska cannot say so of more.
constexpr std::int64_t kMostPriming = 200'000;

// Bytes of memory that a packet takes, about.
inline std::size_t packet_bytes(const AVPacket& packet) {
  constexpr std::size_t kBeside = 256;  // AVPacket and its buffer's header
  return static_cast<std::size_t>(packet.size) + kBeside;
}

// Moves times between the source's clock, the output's and the .part's.
struct Clock {
  std::int64_t origin_us = 0;  // the source time that is the output's zero
  std::int64_t shift_us =
      0;  // added in the .part, so that no dts there is negative; whole seconds for MP4
  // Source ticks -> .part ticks, in the stream's own time base.
  std::int64_t to_part(std::int64_t ticks, AVRational base) const {
    return ticks - av_rescale_q(origin_us, AV_TIME_BASE_Q, base) +
           av_rescale_q(shift_us, AV_TIME_BASE_Q, base);
  }
};

// Purpose: hands out the packets of all copied and converted streams up to a time. Thread-safety:
// none.
//
// Note [early packets]: it reads as far as every audio and video stream has passed that time, or
// kInterleave beyond it. What is read and not yet due waits, up to kMostPending bytes of reading;
// what was read longer ago is handed out before its time. So memory stays bounded however a file
// interleaves its streams, and such a file's output has them where the file had them. What has been
// handed out after a call is a function of the file and the last bound alone, not of the bounds
// before it: a run that goes on with another's work skips to the same state.
class PacketSource {
 public:
  // input: a demuxer for this purpose alone; it and stop must outlive this. Reading throws
  // kStopped.
  PacketSource(Input& input, const std::vector<PlannedStream>& streams, Container container,
               const Clock& clock, const StopFlag& stop);

  // Appends all packets with dts <= bound (ticks of base, .part clock). False when it stopped at
  // `most` bytes, or one packet more: there are others; call it again.
  bool pull(std::int64_t bound, AVRational base, std::vector<OutPacket>& out,
            std::size_t most = SIZE_MAX);
  // Reads past what an earlier run, whose last bound this was, has handed out; afterwards all is as
  // if pull() had done so. Returns each stream's last packet. Reads the source from its start: no
  // container's seek promises the packets and times that reading gives. with_first_audio: that run
  // called pull_first_audio().
  std::vector<OutPacket> skip(std::int64_t bound, AVRational base, bool with_first_audio);
  // The time of the earliest packet not yet handed out, in us; AV_NOPTS_VALUE when none is left.
  std::int64_t next_time();
  // Appends the first packet of every stream that MP4's header describes from it (AC-3, E-AC-3).
  void pull_first_audio(std::vector<OutPacket>& out);

  // Packets of sound that were damaged, or unlike the others of their stream, and are left out.
  std::int64_t left_out() const { return left_out_; }

  std::int64_t bytes_read() const { return beside_bytes_ + input_.format().pb->bytes_read; }

  // The most bytes of packets read and not yet due.
  static constexpr std::size_t kMostPending = std::size_t{4} << 20;

 private:
  struct Stream {
    PlannedStream planned;
    AVRational base{0, 1};  // of its outgoing packets
    bool dense = false;     // audio or video: waits for its packets
    std::unique_ptr<SubtitleConverter> converter;
    std::unique_ptr<PcmConverter> pcm;
    std::int64_t delay = 0;  // ticks: matroska_delay()
    bool timed_text =
        false;  // MP4's: gaps are samples too, see Note [timed text] in part_muxer.cpp
    std::int64_t text_end = 0;
    struct Pending {
      PacketPtr packet;
      std::size_t place;  // in what was read: bytes before it
    };
    std::deque<Pending> pending;
    int handed_out_early = 0;  // packets that were taken by another reading: not to come again
    std::int64_t last_dts = AV_NOPTS_VALUE;
    std::int64_t last_duration = 1;
    std::int64_t rebase = 0;                // ticks: added since the source's times jumped back
    std::int64_t read_us = AV_NOPTS_VALUE;  // time of the last packet read
    bool started = false;                   // a packet was handed out
    bool presented = false;                 // a packet inside the source's edit list was read
    std::unique_ptr<AdtsFilter> adts;       // of AAC that has no other header
  };
  static constexpr std::int64_t kInterleave = 10 * AV_TIME_BASE;  // us
  static constexpr std::int64_t kFirstAudio =
      600 * std::int64_t{AV_TIME_BASE};  // us; an audio stream that starts later is not waited for

  bool read_one();
  bool wanted(Stream& stream, const AVPacket& packet, AVRational base) const;
  void place_in_time(Stream& stream, AVPacket& packet);
  std::int64_t guessed_duration(const Stream& stream, const AVPacket& packet) const;
  void fill_gap(Stream& stream, const AVPacket& next);
  std::size_t hand_out(Stream& stream, std::vector<OutPacket>& out);
  bool passed(std::int64_t bound_us) const;

  Input& input_;
  const StopFlag& stop_;
  Container container_;
  Clock clock_;
  std::vector<Stream> streams_;
  std::vector<int> by_input_;  // index into streams_, or -1
  PacketPtr packet_ = make_packet();
  std::int64_t front_us_ = INT64_MIN;  // latest time read
  std::size_t place_ = 0;              // bytes of packets read
  std::int64_t beside_bytes_ = 0;      // of the file, read by other demuxers
  bool ended_ = false;
  std::int64_t left_out_ = 0;
};

}  // namespace streamvsr
