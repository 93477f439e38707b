// What the output's streams are told of the source's.
#include <algorithm>

#include "media/streams.h"
#include "media/subtitles.h"
#include "media/tags.h"

namespace streamvsr {

namespace {

// What holds for the enhanced pictures as it did for the source's.
void copy_picture_side_data(const AVStream& from, AVStream& to, const bool upright) {
  for (const AVPacketSideDataType type :
       {AV_PKT_DATA_DISPLAYMATRIX, AV_PKT_DATA_STEREO3D, AV_PKT_DATA_SPHERICAL,
        AV_PKT_DATA_MASTERING_DISPLAY_METADATA, AV_PKT_DATA_CONTENT_LIGHT_LEVEL,
        AV_PKT_DATA_ICC_PROFILE})
    if (const auto data = stream_side_data(from, type);
        !data.empty() && !(upright && type == AV_PKT_DATA_DISPLAYMATRIX))
      add_stream_side_data(to, type, data);
}

}  // namespace

void add_stream(AVFormatContext& muxer, const Input& input, const PlannedStream& planned,
                const Container container, const AVCodecParameters& encoded) {
  const AVStream& from = input.stream(planned.input);
  AVStream* const to = avformat_new_stream(&muxer, nullptr);
  if (to == nullptr) throw std::bad_alloc();
  AVCodecParameters& par = *to->codecpar;
  const AVCodecParameters& source =
      planned.action == StreamAction::kEnhance ? encoded : parameters_of(input, planned);
  if (avcodec_parameters_copy(&par, &source) < 0) throw std::bad_alloc();
  // The source container's; the muxer picks its own, but for data, which it is all it knows by.
  if (par.codec_tag != kGpmf) par.codec_tag = 0;
  to->time_base = from.time_base;
  to->disposition = from.disposition;
  for (const auto& [key, value] : to_map(from.metadata)) {
    if (is_stale_tag(key)) continue;
    // What QuickTime notes about the maker of the old track.
    if (planned.action == StreamAction::kEnhance && (key == "vendor_id" || key == "handler_name"))
      continue;
    av_dict_set(&to->metadata, key.c_str(), value.c_str(), 0);
  }
  if (container == Container::kMov)
    if (const AVDictionaryEntry* const language = av_dict_get(to->metadata, "language", nullptr, 0))
      av_dict_set(&to->metadata, "language", quicktime_language(language->value).c_str(), 0);
  switch (planned.action) {
    case StreamAction::kEnhance:
      to->sample_aspect_ratio = encoded.sample_aspect_ratio;
      copy_picture_side_data(from, *to, planned.upright);
      add_light(*to, planned.light);
      if (!planned.stereo.empty() && stream_side_data(from, AV_PKT_DATA_STEREO3D).empty())
        add_stream_side_data(*to, AV_PKT_DATA_STEREO3D, planned.stereo);
      if (container != Container::kMkv && par.codec_id == AV_CODEC_ID_HEVC)
        par.codec_tag = MKTAG('h', 'v', 'c', '1');
      break;
    case StreamAction::kCopy:
    case StreamAction::kToPcm:
      to->sample_aspect_ratio = from.sample_aspect_ratio;
      to->avg_frame_rate = from.avg_frame_rate;
      copy_stream_side_data(from, *to);
      if (container != Container::kMkv && par.codec_id == AV_CODEC_ID_HEVC)
        par.codec_tag = MKTAG('h', 'v', 'c', '1');
      break;
    case StreamAction::kToMovText:
    case StreamAction::kToSubRip: {
      const SubtitleConverter converter(from, planned.action == StreamAction::kToSubRip
                                                  ? AV_CODEC_ID_SUBRIP
                                                  : AV_CODEC_ID_MOV_TEXT);
      if (avcodec_parameters_copy(&par, converter.parameters().get()) < 0) throw std::bad_alloc();
      par.codec_tag = 0;
      to->time_base = {1, 1000};
      break;
    }
    case StreamAction::kCover:
      if (container == Container::kMkv) {
        par.codec_type = AVMEDIA_TYPE_ATTACHMENT;
        set_extradata(par,
                      {from.attached_pic.data, static_cast<std::size_t>(from.attached_pic.size)});
        to->disposition = 0;
        if (av_dict_get(to->metadata, "filename", nullptr, 0) == nullptr)
          av_dict_set(&to->metadata, "filename",
                      (std::string("cover.") + picture_extension(par.codec_id)).c_str(), 0);
        av_dict_set(&to->metadata, "mimetype", picture_mimetype(par.codec_id), 0);
      }
      break;
    case StreamAction::kAttachment:
      break;
  }
}

std::int64_t matroska_delay(const AVStream& stream) {
  const AVCodecParameters& par = *stream.codecpar;
  return par.codec_id == AV_CODEC_ID_OPUS
             ? av_rescale_q(par.initial_padding, {1, 48000}, stream.time_base)
             : 0;
}

std::string timecode_of(const AVStream& stream) {
  const AVDictionaryEntry* const told = av_dict_get(stream.metadata, "timecode", nullptr, 0);
  return told != nullptr ? told->value : "";
}

void copy_metadata(const Input& input, AVFormatContext& muxer) {
  for (const auto& [key, value] : to_map(input.format().metadata)) {
    if (is_stale_tag(key)) continue;
    if (is_brand(key)) continue;
    av_dict_set(&muxer.metadata, key.c_str(), value.c_str(), 0);
  }
}

void copy_chapters(const Input& input, AVFormatContext& muxer, const std::int64_t offset_us) {
  const unsigned count = input.format().nb_chapters;
  if (count == 0) return;
  // The array and its chapters belong to the muxer's context, which frees them.
  muxer.chapters = static_cast<AVChapter**>(av_calloc(count, sizeof(AVChapter*)));
  if (muxer.chapters == nullptr) throw std::bad_alloc();
  for (unsigned i = 0; i < count; ++i) {
    const AVChapter& from = *input.format().chapters[i];
    auto* const to = static_cast<AVChapter*>(av_mallocz(sizeof(AVChapter)));
    if (to == nullptr) throw std::bad_alloc();
    muxer.chapters[muxer.nb_chapters++] = to;
    const std::int64_t offset = av_rescale_q(offset_us, AV_TIME_BASE_Q, from.time_base);
    to->id = from.id;
    to->time_base = from.time_base;
    to->start = std::max<std::int64_t>(0, from.start + offset);
    to->end = from.end == AV_NOPTS_VALUE ? to->start : std::max(to->start, from.end + offset);
    av_dict_copy(&to->metadata, from.metadata, 0);
  }
}

}  // namespace streamvsr
