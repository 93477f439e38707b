#include "media/part_writer.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace streamvsr {

namespace {

std::int64_t lcm_or(const std::int64_t a, const std::int64_t b, const std::int64_t otherwise) {
  const std::int64_t both = a / std::gcd(a, b) * b;
  return both <= std::numeric_limits<std::int32_t>::max() ? both : otherwise;
}

}  // namespace

PartWriter::PartWriter(File& file, Input& input, const std::vector<PlannedStream>& streams,
                       const PartSettings& settings, const AVCodecParameters& encoded)
    : file_(file), input_(input), streams_(streams), settings_(settings), encoded_(encoded) {
  for (const PlannedStream& planned : streams)
    if (planned.action == StreamAction::kEnhance) video_output_ = planned.output;
  io_ = std::make_unique<FileIo>(file, 0);
  muxer_ = make_muxer(*io_, true, nullptr);
}

PartWriter::~PartWriter() = default;

MuxerPtr PartWriter::make_muxer(FileIo& io, const bool fragmented,
                                const AVFormatContext* const part) {
  const bool mkv = settings_.container == Container::kMkv;
  AVFormatContext* context = nullptr;
  check(avformat_alloc_output_context2(&context, nullptr, muxer_name(settings_.container), nullptr),
        "set up the muxer of", file_.path(), ErrorKind::kInternal);
  MuxerPtr muxer(context);
  muxer->opaque = log_.get();
  muxer->pb = io.context();
  // BITEXACT: no dates, random ids or library versions in the file.
  muxer->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT | AVFMT_FLAG_AUTO_BSF;

  std::int64_t timescale = settings_.video_time_base.den;
  std::int64_t movie_timescale = timescale;
  for (const PlannedStream& planned : streams_) {
    // MP4 keeps covers outside of the tracks: they join at the finish.
    const bool cover = planned.action == StreamAction::kCover && !mkv;
    if (cover && fragmented) continue;
    add_stream(*muxer, input_, planned, settings_.container, encoded_);
    AVStream& stream = *muxer->streams[muxer->nb_streams - 1];
    if (cover) {
      stream.disposition = AV_DISPOSITION_ATTACHED_PIC;
      continue;
    }
    if (part != nullptr) {
      // Headers as they stand in the .part: in the container's form (the packets there are
      // already), and with what the first packets taught the muxer.
      const AVCodecParameters& learnt = *part->streams[planned.output]->codecpar;
      if (learnt.extradata_size > 0)
        set_extradata(*stream.codecpar,
                      {learnt.extradata, static_cast<std::size_t>(learnt.extradata_size)});
    }
    if (planned.action == StreamAction::kEnhance) {
      stream.time_base = settings_.video_time_base;
      stream.avg_frame_rate = settings_.video_rate;
    } else if (stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO) {
      timescale = lcm_or(timescale, stream.time_base.den, timescale);
    } else if (stream.codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
               stream.codecpar->sample_rate > 0) {
      movie_timescale = lcm_or(movie_timescale, stream.codecpar->sample_rate, movie_timescale);
    }
  }
  Dictionary options;
  options.set("avoid_negative_ts", "disabled");
  options.set("strict", "experimental");  // FLAC in MP4 counts as such in FFmpeg 5.1
  if (!mkv) {
    options.set("video_track_timescale", std::to_string(timescale));
    if (fragmented) {
      options.set("movflags",
                  "frag_custom+empty_moov+delay_moov+default_base_moof+frag_discont+skip_trailer");
      options.set("use_editlist", "0");
    } else {
      // Start offsets are written in it: fine enough for a video tick and an audio sample.
      options.set("movie_timescale",
                  std::to_string(lcm_or(movie_timescale, timescale, movie_timescale)));
    }
  }
  if (!fragmented || mkv) {
    copy_metadata(input_, *muxer);
    const std::int64_t shift = mkv ? settings_.clock.shift_us : 0;
    copy_chapters(input_, *muxer, shift - settings_.clock.origin_us);
  }
  const LogSink::Scope scope(*log_);
  const int result = avformat_write_header(muxer.get(), options.raw());
  io.rethrow();
  check(result, "write the header of", file_.path(), ErrorKind::kInternal, log_.get());
  // Note [timed text]: FFmpeg's muxer fills the gaps between texts with empty samples by itself,
  // wherever it happens to stand, and in fragments at the wrong time. PacketSource fills them
  // instead; so that none is added here, text tracks take another text codec's id once the header
  // has chosen their sample entry.
  if (!mkv)
    for (unsigned i = 0; i < muxer->nb_streams; ++i)
      if (muxer->streams[i]->codecpar->codec_id == AV_CODEC_ID_MOV_TEXT)
        muxer->streams[i]->codecpar->codec_id = AV_CODEC_ID_TEXT;
  return muxer;
}

void PartWriter::flush() {
  const LogSink::Scope scope(*log_);
  const int result = av_write_frame(muxer_.get(), nullptr);
  avio_flush(io_->context());
  io_->rethrow();
  check(result, "write", file_.path(), ErrorKind::kInternal, log_.get());
}

void PartWriter::write_fragment(std::vector<OutPacket> packets) {
  const LogSink::Scope scope(*log_);
  // The enhanced video comes last among equals: Matroska's muxer keeps an audio packet back until a
  // video packet comes.
  std::stable_sort(packets.begin(), packets.end(), [this](const OutPacket& a, const OutPacket& b) {
    const int order = av_compare_ts(a.packet->dts, a.time_base, b.packet->dts, b.time_base);
    if (order != 0) return order < 0;
    return b.packet->stream_index == video_output_ && a.packet->stream_index != video_output_;
  });
  // Each fragment says its own times: else a gap before it would be lost.
  if (settings_.container != Container::kMkv)
    av_opt_set(muxer_->priv_data, "movflags", "+frag_discont", 0);
  for (OutPacket& out : packets) {
    AVStream& stream = *muxer_->streams[out.packet->stream_index];
    av_packet_rescale_ts(out.packet.get(), out.time_base, stream.time_base);
    last_durations_[out.packet->stream_index] = out.packet->duration;
    const int result = av_write_frame(muxer_.get(), out.packet.get());
    io_->rethrow();
    check(result, "write", file_.path(), ErrorKind::kInternal, log_.get());
    out.packet.reset();
  }
  const bool first = offset() == 0;
  flush();
  // With delay_moov the first flush writes the header alone.
  if (first && settings_.container != Container::kMkv) flush();
}

void PartWriter::finish(const StopFlag& stop) {
  {
    const LogSink::Scope scope(*log_);
    const int result = av_write_trailer(muxer_.get());
    avio_flush(io_->context());
    io_->rethrow();
    check(result, "finish", file_.path(), ErrorKind::kInternal, log_.get());
  }
  muxer_.reset();
  if (settings_.container != Container::kMkv) finish_in_place(stop);
  file_.sync();
}

}  // namespace streamvsr
