#include "media/streams.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "media/subtitles.h"

namespace streamvsr {

namespace {

bool is_text_subtitle(const AVCodecID codec) {
  const AVCodecDescriptor* const d = avcodec_descriptor_get(codec);
  return d != nullptr && (d->props & AV_CODEC_PROP_TEXT_SUB) != 0;
}

bool holds(const Container container, const AVCodecID codec) {
  // Its table has a tag for AV1, its muxer refuses it.
  if (container == Container::kMov && codec == AV_CODEC_ID_AV1) return false;
  const AVOutputFormat* const format = av_guess_format(muxer_name(container), nullptr, nullptr);
  if (format == nullptr) return false;
  if (avformat_query_codec(format, codec, FF_COMPLIANCE_NORMAL) == 1) return true;
  // Matroska's query knows its own ids only; what AVI has an id for, it holds under that.
  return container == Container::kMkv && av_codec_get_tag(format->codec_tag, codec) != 0;
}

// Numbers an earlier muxer wrote about packets that are no longer these.
bool is_stale(const std::string& key) {
  for (const char* const prefix : {"DURATION", "BPS", "NUMBER_OF_", "_STATISTICS_"})
    if (key.rfind(prefix, 0) == 0) return true;
  return key == "encoder" || key == "ENCODER" || key == "timecode";
}

// What an MP4 says of its own form.
bool is_brand(const std::string& key) {
  return key == "major_brand" || key == "minor_version" || key == "compatible_brands";
}

// The global tags that FFmpeg's MP4 muxer has a place for.
bool mp4_keeps(const std::string& key) {
  static const std::set<std::string> kept = {"title",         "artist",
                                             "album_artist",  "composer",
                                             "album",         "date",
                                             "comment",       "genre",
                                             "copyright",     "grouping",
                                             "lyrics",        "description",
                                             "synopsis",      "show",
                                             "episode_id",    "network",
                                             "keywords",      "episode_sort",
                                             "media_type",    "hd_video",
                                             "compilation",   "season_number",
                                             "creation_time", "track",
                                             "disc",          "gapless_playback"};
  return kept.count(key) > 0;
}

// QuickTime's table names languages by ISO 639-2/B where that differs from /T.
std::string quicktime_language(const std::string& code) {
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"deu", "ger"}, {"fra", "fre"}, {"nld", "dut"}, {"zho", "chi"}, {"ces", "cze"},
      {"ell", "gre"}, {"fas", "per"}, {"hye", "arm"}, {"isl", "ice"}, {"kat", "geo"},
      {"mkd", "mac"}, {"msa", "may"}, {"mya", "bur"}, {"ron", "rum"}, {"slk", "slo"},
      {"sqi", "alb"}, {"bod", "tib"}, {"cym", "wel"}, {"eus", "baq"}};
  for (const auto& [terminology, bibliographic] : kNames)
    if (code == terminology) return bibliographic;
  return code;
}

const char* mimetype(const AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_MJPEG:
      return "image/jpeg";
    case AV_CODEC_ID_PNG:
      return "image/png";
    case AV_CODEC_ID_BMP:
      return "image/bmp";
    case AV_CODEC_ID_GIF:
      return "image/gif";
    case AV_CODEC_ID_WEBP:
      return "image/webp";
    default:
      return nullptr;
  }
}

const char* extension(const AVCodecID codec) {
  switch (codec) {
    case AV_CODEC_ID_PNG:
      return "png";
    case AV_CODEC_ID_BMP:
      return "bmp";
    case AV_CODEC_ID_GIF:
      return "gif";
    case AV_CODEC_ID_WEBP:
      return "webp";
    default:
      return "jpg";
  }
}

}  // namespace

std::string stream_name(const AVStream& stream) {
  const char* const type = av_get_media_type_string(stream.codecpar->codec_type);
  const auto tags = to_map(stream.metadata);
  const auto language = tags.find("language");
  return std::string(type != nullptr ? type : "unknown") + " stream #" +
         std::to_string(stream.index) + " (" + avcodec_get_name(stream.codecpar->codec_id) +
         (language != tags.end() && language->second != "und" ? ", " + language->second : "") + ")";
}

const char* muxer_name(const Container container) {
  return container == Container::kMkv ? "matroska" : container_name(container);
}

const char* container_name(const Container container) {
  switch (container) {
    case Container::kMp4:
      return "mp4";
    case Container::kMov:
      return "mov";
    case Container::kMkv:
      return "mkv";
  }
  return "";
}

Container choose_container(const std::string& name, const std::string& output) {
  std::string wanted = name;
  if (wanted.empty()) {
    wanted = std::filesystem::path(output).extension().string();
    if (!wanted.empty()) wanted.erase(0, 1);
    std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    if (wanted == "m4v") wanted = "mp4";
  }
  for (const Container c : {Container::kMp4, Container::kMov, Container::kMkv})
    if (wanted == container_name(c)) return c;
  if (name.empty())
    throw Error(ErrorKind::kConfig,
                "the output '" + output +
                    "' does not say its container; end it in .mp4, .mov or .mkv, or set container",
                output);
  throw Error(ErrorKind::kConfig, "unknown container '" + name + "'; choose mp4, mov or mkv");
}

// MP4 describes AC-3, E-AC-3 and AAC from broadcast by their first packet, so there must be one.
// E-AC-3 in packets of less than six blocks is joined by FFmpeg's muxer, which an index over
// packets in place cannot follow.
bool header_can_be_learnt(const Input& input, const int index) {
  const AVCodecParameters& par = *input.stream(index).codecpar;
  const bool adts = par.codec_id == AV_CODEC_ID_AAC && par.extradata_size == 0;
  if (!adts && par.codec_id != AV_CODEC_ID_AC3 && par.codec_id != AV_CODEC_ID_EAC3) return true;
  Input again(input.path());
  again.select_only(index);
  const PacketPtr packet = make_packet();
  if (!again.read(*packet)) return false;
  if (par.codec_id != AV_CODEC_ID_EAC3) return true;
  // ETSI TS 102 366, E.1.2: fscod and numblkscod in the fifth byte.
  if (packet->size < 5) return false;
  const int fscod = packet->data[4] >> 6;
  const int numblkscod = packet->data[4] >> 4 & 3;
  return fscod == 3 || numblkscod == 3;
}

// Whether the muxer accepts a stream's header, found out by letting it write one into memory.
bool takes(const Input& input, const PlannedStream& planned, const Container container,
           const AVCodecParameters& encoded) {
  AVFormatContext* context = nullptr;
  if (avformat_alloc_output_context2(&context, nullptr, muxer_name(container), nullptr) < 0)
    throw std::bad_alloc();
  const MuxerPtr muxer(context);
  LogSink quiet;
  const LogSink::Scope scope(quiet);
  muxer->opaque = &quiet;
  muxer->flags |= AVFMT_FLAG_BITEXACT;
  if (avio_open_dyn_buf(&muxer->pb) < 0) throw std::bad_alloc();
  PlannedStream alone = planned;
  alone.output = 0;
  add_stream(*muxer, input, alone, container, encoded);
  Dictionary options;
  options.set("strict", "experimental");
  const bool taken = avformat_write_header(muxer.get(), options.raw()) >= 0;
  std::uint8_t* written = nullptr;
  avio_close_dyn_buf(muxer->pb, &written);
  av_free(written);
  muxer->pb = nullptr;
  return taken;
}

StreamPlan plan_streams(const Input& input, const Container container,
                        const AVCodecParameters& encoded) {
  const AVCodecID video_codec = encoded.codec_id;
  if (!holds(container, video_codec))
    throw Error(ErrorKind::kConfig, std::string(container_name(container)) + " cannot hold " +
                                        avcodec_get_name(video_codec) + " video; choose mkv");
  StreamPlan plan;
  std::vector<PlannedStream> covers;
  const std::string in = std::string(" cannot be held by ") + container_name(container);
  for (int i = 0; i < input.stream_count(); ++i) {
    const AVStream& stream = input.stream(i);
    const AVCodecID codec = stream.codecpar->codec_id;
    PlannedStream planned{i, 0, StreamAction::kCopy};
    switch (stream.codecpar->codec_type) {
      case AVMEDIA_TYPE_VIDEO:
        if (i == input.video_index()) {
          planned.action = StreamAction::kEnhance;
        } else if (is_cover(stream)) {
          planned.action = StreamAction::kCover;
          if (mimetype(codec) == nullptr || stream.attached_pic.size == 0 ||
              container == Container::kMov ||
              (container == Container::kMp4 && !holds(container, codec))) {
            plan.warnings.push_back(stream_name(stream) + ", a cover picture," + in + ": left out");
            continue;
          }
          if (container != Container::kMkv) {
            covers.push_back(planned);
            continue;
          }
        } else if (!holds(container, codec)) {
          plan.warnings.push_back(stream_name(stream) + in + ": left out; mkv may hold it");
          continue;
        }
        break;
      case AVMEDIA_TYPE_AUDIO:
        if (!holds(container, codec)) {
          plan.warnings.push_back(stream_name(stream) + in + ": left out" +
                                  (holds(Container::kMkv, codec) ? "; mkv holds it" : ""));
          continue;
        }
        break;
      case AVMEDIA_TYPE_SUBTITLE:
        if (container != Container::kMkv && codec != AV_CODEC_ID_MOV_TEXT &&
            is_text_subtitle(codec)) {
          planned.action = StreamAction::kToMovText;
        } else if (container == Container::kMkv && codec == AV_CODEC_ID_MOV_TEXT) {
          planned.action = StreamAction::kToSubRip;
        } else if (!holds(container, codec)) {
          plan.warnings.push_back(stream_name(stream) + in + ": left out" +
                                  (holds(Container::kMkv, codec) ? "; mkv holds it" : ""));
          continue;
        }
        if (planned.action != StreamAction::kCopy && avcodec_find_decoder(codec) == nullptr) {
          plan.warnings.push_back(stream_name(stream) +
                                  " cannot be converted by this FFmpeg: left out");
          continue;
        }
        break;
      case AVMEDIA_TYPE_ATTACHMENT:
        if (container != Container::kMkv) {
          plan.warnings.push_back(stream_name(stream) + in + ": left out; mkv holds it");
          continue;
        }
        planned.action = StreamAction::kAttachment;
        break;
      default:
        // QuickTime's chapter track arrives as chapters; it would be carried twice.
        if (codec == AV_CODEC_ID_BIN_DATA && input.format().nb_chapters > 0) continue;
        plan.warnings.push_back(stream_name(stream) + " is not carried: left out");
        continue;
    }
    const bool packets = planned.action != StreamAction::kEnhance &&
                         planned.action != StreamAction::kCover &&
                         planned.action != StreamAction::kAttachment;
    if (packets && (!takes(input, planned, container, encoded) ||
                    (container != Container::kMkv && !header_can_be_learnt(input, i)))) {
      plan.warnings.push_back(stream_name(stream) + in + ": left out" +
                              (container != Container::kMkv && holds(Container::kMkv, codec)
                                   ? "; mkv may hold it"
                                   : ""));
      continue;
    }
    planned.output = static_cast<int>(plan.streams.size());
    plan.streams.push_back(planned);
  }
  for (PlannedStream& cover : covers) {
    cover.output = static_cast<int>(plan.streams.size());
    plan.streams.push_back(cover);
  }
  if (container != Container::kMkv) {
    std::string lost;
    for (const auto& [key, value] : to_map(input.format().metadata))
      if (!is_stale(key) && !is_brand(key) && !mp4_keeps(key))
        lost += (lost.empty() ? "" : ", ") + key;
    if (!lost.empty())
      plan.warnings.push_back("the tags " + lost + in + ": left out; mkv holds them");
  }
  if (container == Container::kMkv && input.video_index() >= 0 &&
      stream_rotation(input.stream(input.video_index())) != 0.0)
    plan.warnings.push_back(
        "the rotation of the picture cannot be written to mkv by this FFmpeg: choose mp4 or mov to "
        "keep it");
  return plan;
}

void add_stream(AVFormatContext& muxer, const Input& input, const PlannedStream& planned,
                const Container container, const AVCodecParameters& encoded) {
  const AVStream& from = input.stream(planned.input);
  AVStream* const to = avformat_new_stream(&muxer, nullptr);
  if (to == nullptr) throw std::bad_alloc();
  AVCodecParameters& par = *to->codecpar;
  const AVCodecParameters& source =
      planned.action == StreamAction::kEnhance ? encoded : *from.codecpar;
  if (avcodec_parameters_copy(&par, &source) < 0) throw std::bad_alloc();
  par.codec_tag = 0;  // the source container's; the muxer picks its own
  to->time_base = from.time_base;
  to->disposition = from.disposition;
  for (const auto& [key, value] : to_map(from.metadata)) {
    if (is_stale(key)) continue;
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
      copy_stream_side_data(from, *to);
      if (container != Container::kMkv && par.codec_id == AV_CODEC_ID_HEVC)
        par.codec_tag = MKTAG('h', 'v', 'c', '1');
      break;
    case StreamAction::kCopy:
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
                      (std::string("cover.") + extension(par.codec_id)).c_str(), 0);
        av_dict_set(&to->metadata, "mimetype", mimetype(par.codec_id), 0);
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

void copy_metadata(const Input& input, AVFormatContext& muxer) {
  for (const auto& [key, value] : to_map(input.format().metadata)) {
    if (is_stale(key)) continue;
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
