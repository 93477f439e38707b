#include "media/part_muxer.h"

extern "C" {
#include <libavutil/timecode.h>
}

#include <algorithm>
#include <limits>
#include <numeric>

namespace streamvsr {

namespace {

std::int64_t lcm_or(const std::int64_t a, const std::int64_t b, const std::int64_t otherwise) {
  const std::int64_t both = a / std::gcd(a, b) * b;
  return both <= std::numeric_limits<std::int32_t>::max() ? both : otherwise;
}

// An earlier run's `.part` may be anything: its streams are used by their planned numbers.
void check_streams(const PartContext& context, const AVFormatContext& part) {
  const std::string& path = context.file.path();
  unsigned tracks = 0;
  for (const PlannedStream& planned : context.streams) {
    if (planned.action == StreamAction::kCover) continue;
    ++tracks;
    const auto index = static_cast<unsigned>(planned.output);
    if (index >= part.nb_streams) continue;  // counted below
    const bool video = part.streams[index]->codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    if (planned.action == StreamAction::kEnhance && !video)
      throw Error(ErrorKind::kResume, "'" + path + "' has no video where it was written", path);
  }
  if (part.nb_streams != tracks)
    throw Error(ErrorKind::kResume,
                "'" + path + "' has " + std::to_string(part.nb_streams) + " track(s), and " +
                    std::to_string(tracks) + " were written",
                path);
}

}  // namespace

MuxerPtr make_muxer(const PartContext& context, FileIo& io, LogSink& log, const MuxerKind kind,
                    const AVFormatContext* const part) {
  const PartSettings& settings = context.settings;
  const bool mkv = settings.container == Container::kMkv;
  const bool fragmented = kind == MuxerKind::kGrowing;
  AVFormatContext* made = nullptr;
  check(avformat_alloc_output_context2(&made, nullptr, muxer_name(settings.container), nullptr),
        "set up the muxer of", context.file.path(), ErrorKind::kInternal);
  MuxerPtr muxer(made);
  if (part != nullptr) check_streams(context, *part);
  muxer->opaque = &log;
  muxer->pb = io.context();
  // BITEXACT: no dates, random ids or library versions in the file.
  muxer->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT | AVFMT_FLAG_AUTO_BSF;

  std::int64_t timescale = settings.video_time_base.den;
  std::int64_t movie_timescale = timescale;
  for (const PlannedStream& planned : context.streams) {
    // MP4 keeps covers outside of the tracks: they join at the finish.
    const bool cover = planned.action == StreamAction::kCover && !mkv;
    if (cover && fragmented) continue;
    add_stream(*muxer, context.tags, planned, settings.container, context.encoded);
    AVStream& stream = *muxer->streams[muxer->nb_streams - 1];
    if (cover) {
      stream.disposition = AV_DISPOSITION_ATTACHED_PIC;
      continue;
    }
    // Packets that are read back are in the container's form, and so must the header be. Packets
    // yet to come are in the source's form.
    if (part != nullptr && !fragmented) {
      const AVCodecParameters& learnt = *part->streams[planned.output]->codecpar;
      if (learnt.extradata_size > 0)
        set_extradata(*stream.codecpar,
                      {learnt.extradata, static_cast<std::size_t>(learnt.extradata_size)});
    }
    if (planned.action == StreamAction::kEnhance) {
      stream.time_base = settings.video_time_base;
      const AVRational mean_rate = mkv ? AVRational{0, 1} : settings.video_rate;
      // Matroska writes it as the pictures' default duration: a mean would be wrong for each.
      stream.avg_frame_rate = settings.nominal_rate.num > 0 ? settings.nominal_rate : mean_rate;
      // From it FFmpeg's muxer makes QuickTime's timecode track, which has no place in fragments.
      if (const std::string timecode = timecode_of(context.tags.stream(planned.input));
          !fragmented || mkv)
        if (!timecode.empty() && (mkv || av_timecode_check_frame_rate(stream.avg_frame_rate) >= 0))
          av_dict_set(&stream.metadata, "timecode", timecode.c_str(), 0);
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
      set_tag_form(options, settings.tags);
      // Start offsets are written in it: fine enough for a video tick and an audio sample.
      options.set("movie_timescale",
                  std::to_string(lcm_or(movie_timescale, timescale, movie_timescale)));
    }
  }
  if (!fragmented || mkv) {
    copy_metadata(context.tags, *muxer);
    const std::int64_t shift = mkv ? settings.clock.shift_us : 0;
    copy_chapters(context.tags, *muxer, shift - settings.clock.origin_us);
  }
  const LogSink::Scope scope(log);
  const int result = avformat_write_header(muxer.get(), options.raw());
  io.rethrow();
  check(result, "write the header of", context.file.path(), ErrorKind::kInternal, &log);
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

InputPtr open_part(const PartContext& context, LogSink& log) {
  const LogSink::Scope scope(log);
  AVFormatContext* opened = nullptr;
  check(avformat_open_input(&opened, ("file:" + context.file.path()).c_str(),
                            av_find_input_format("mov"), nullptr),
        "read back", context.file.path(), ErrorKind::kInternal, &log);
  return InputPtr(opened);
}

}  // namespace streamvsr
