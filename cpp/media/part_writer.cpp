#include "media/part_writer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace streamvsr {

namespace {

std::int64_t lcm_or(const std::int64_t a, const std::int64_t b, const std::int64_t otherwise) {
  const std::int64_t both = a / std::gcd(a, b) * b;
  return both <= std::numeric_limits<std::int32_t>::max() ? both : otherwise;
}

std::uint32_t big_endian32(const std::uint8_t* const p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | std::uint32_t{p[3]};
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

MuxerPtr PartWriter::make_muxer(FileIo& io, const bool fragmented, const AVFormatContext* const part) {
  const bool mkv = settings_.container == Container::kMkv;
  AVFormatContext* context = nullptr;
  check(avformat_alloc_output_context2(&context, nullptr, mkv ? "matroska" : container_name(settings_.container), nullptr),
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
    if (part != nullptr) {  // what the first packets taught the muxer of the .part
      const AVCodecParameters& learnt = *part->streams[planned.output]->codecpar;
      if (stream.codecpar->extradata_size == 0 && learnt.extradata_size > 0) {
        stream.codecpar->extradata = static_cast<std::uint8_t*>(
            av_mallocz(static_cast<std::size_t>(learnt.extradata_size) + AV_INPUT_BUFFER_PADDING_SIZE));
        if (stream.codecpar->extradata == nullptr) throw std::bad_alloc();
        std::copy_n(learnt.extradata, learnt.extradata_size, stream.codecpar->extradata);
        stream.codecpar->extradata_size = learnt.extradata_size;
      }
    }
    if (planned.action == StreamAction::kEnhance) {
      stream.time_base = settings_.video_time_base;
      stream.avg_frame_rate = settings_.video_rate;
    } else if (stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO) {
      timescale = lcm_or(timescale, stream.time_base.den, timescale);
    } else if (stream.codecpar->codec_type == AVMEDIA_TYPE_AUDIO && stream.codecpar->sample_rate > 0) {
      movie_timescale = lcm_or(movie_timescale, stream.codecpar->sample_rate, movie_timescale);
    }
  }
  Dictionary options;
  options.set("avoid_negative_ts", "disabled");
  if (!mkv) {
    options.set("video_track_timescale", std::to_string(timescale));
    if (fragmented) {
      options.set("movflags", "frag_custom+empty_moov+delay_moov+default_base_moof+frag_discont+skip_trailer");
      options.set("use_editlist", "0");
    } else {
      // Start offsets are written in it: fine enough for a video tick and an audio sample.
      options.set("movie_timescale", std::to_string(lcm_or(movie_timescale, timescale, movie_timescale)));
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
  // The enhanced video comes last among equals: Matroska's muxer keeps an audio packet back until a video packet comes.
  std::stable_sort(packets.begin(), packets.end(), [this](const OutPacket& a, const OutPacket& b) {
    const int order = av_compare_ts(a.packet->dts, a.time_base, b.packet->dts, b.time_base);
    if (order != 0) return order < 0;
    return b.packet->stream_index == video_output_ && a.packet->stream_index != video_output_;
  });
  for (OutPacket& out : packets) {
    AVStream& stream = *muxer_->streams[out.packet->stream_index];
    av_packet_rescale_ts(out.packet.get(), out.time_base, stream.time_base);
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

void PartWriter::finish() {
  {
    const LogSink::Scope scope(*log_);
    const int result = av_write_trailer(muxer_.get());
    avio_flush(io_->context());
    io_->rethrow();
    check(result, "finish", file_.path(), ErrorKind::kInternal, log_.get());
  }
  muxer_.reset();
  if (settings_.container != Container::kMkv) finish_in_place();
  file_.sync();
}

// Note [finish in place]: the packets of the fragments are fed to an ordinary muxer that is led to where each of them
// lies already and whose writes before the end of the data are dropped. So it learns every position, and its trailer, the
// only thing that reaches the file, is an index over the bytes in place. Its own header (and the chapters' text, which
// QuickTime stores as samples) lands behind the data. Once all that is durable, the 16 bytes at the old, empty index become
// the header of one large mdat box that covers everything up to the new index.
void PartWriter::finish_in_place() {
  const std::int64_t end_of_data = io_->position();
  bytes_written_ += io_->written();
  io_.reset();
  const LogSink::Scope scope(*log_);
  AVFormatContext* context = nullptr;
  check(avformat_open_input(&context, ("file:" + file_.path()).c_str(), av_find_input_format("mov"), nullptr), "read back",
        file_.path(), ErrorKind::kInternal, log_.get());
  const InputPtr part(context);

  FileIo io(file_, end_of_data, end_of_data);
  const MuxerPtr muxer = make_muxer(io, false, part.get());
  for (const PlannedStream& planned : streams_) {
    if (planned.action != StreamAction::kCover) continue;
    const PacketPtr cover = make_packet();
    if (av_packet_ref(cover.get(), &input_.stream(planned.input).attached_pic) < 0) throw std::bad_alloc();
    cover->stream_index = planned.output;
    check(av_write_frame(muxer.get(), cover.get()), "write the cover into", file_.path(), ErrorKind::kInternal, log_.get());
  }
  avio_flush(io.context());
  const std::int64_t index_at = io.position();

  const PacketPtr packet = make_packet();
  for (;;) {
    const int result = av_read_frame(part.get(), packet.get());
    if (result == AVERROR_EOF) break;
    check(result, "read back", file_.path(), ErrorKind::kInternal, log_.get());
    if (packet->pos >= end_of_data) break;  // never into what is being written
    const AVStream& from = *part->streams[packet->stream_index];
    const AVStream& to = *muxer->streams[packet->stream_index];
    const std::int64_t position = packet->pos;
    const std::int64_t size = packet->size;
    av_packet_rescale_ts(packet.get(), from.time_base, to.time_base);
    const std::int64_t shift = av_rescale_q(settings_.clock.shift_us, AV_TIME_BASE_Q, to.time_base);
    packet->pts -= shift;
    packet->dts -= shift;
    avio_seek(io.context(), position, SEEK_SET);
    check(av_write_frame(muxer.get(), packet.get()), "index", file_.path(), ErrorKind::kInternal, log_.get());
    if (io.position() != position + size)
      throw Error(ErrorKind::kInternal, "the index of '" + file_.path() + "' does not fit its packets", file_.path());
    av_packet_unref(packet.get());
  }
  avio_seek(io.context(), index_at, SEEK_SET);
  const int result = av_write_trailer(muxer.get());
  avio_flush(io.context());
  io.rethrow();
  check(result, "finish", file_.path(), ErrorKind::kInternal, log_.get());
  bytes_written_ += io.written();

  file_.sync();  // the index before the header that makes it the only one
  std::array<std::uint8_t, 4> size{};
  if (file_.read_at(size, 0) != size.size())
    throw Error(ErrorKind::kInternal, "'" + file_.path() + "' lost its beginning", file_.path());
  const std::int64_t old_index = big_endian32(size.data());  // right behind the ftyp box
  std::array<std::uint8_t, 16> header = {0, 0, 0, 1, 'm', 'd', 'a', 't'};  // 1: the size follows in 64 bits
  const std::uint64_t covered = static_cast<std::uint64_t>(index_at - old_index);
  for (int i = 0; i < 8; ++i) header[static_cast<std::size_t>(8 + i)] = static_cast<std::uint8_t>(covered >> (56 - 8 * i));
  file_.write_at(header, old_index);
  bytes_written_ += 16;
}

}  // namespace streamvsr
