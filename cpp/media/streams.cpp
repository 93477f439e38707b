#include "media/streams.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "media/editions.h"
#include "media/pcm.h"
#include "media/tags.h"

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

}  // namespace

std::string stream_name(const AVStream& stream) {
  const char* const type = av_get_media_type_string(stream.codecpar->codec_type);
  const auto tags = to_map(stream.metadata);
  const auto language = tags.find("language");
  return std::string(type != nullptr ? type : "unknown") + " stream #" +
         std::to_string(stream.index) + " (" + avcodec_get_name(stream.codecpar->codec_id) +
         (language != tags.end() && language->second != "und" ? ", " + language->second : "") + ")";
}

const AVCodecParameters& parameters_of(const Input& input, const PlannedStream& planned) {
  return planned.parameters ? *planned.parameters : *input.stream(planned.input).codecpar;
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

// MP4 describes AC-3 and E-AC-3 by their first packet, so there must be one.
// E-AC-3 in packets of less than six blocks is joined by FFmpeg's muxer, which an index over
// packets in place cannot follow.
bool header_can_be_learnt(const Input& input, const int index) {
  const AVCodecParameters& par = *input.stream(index).codecpar;
  if (par.codec_id != AV_CODEC_ID_AC3 && par.codec_id != AV_CODEC_ID_EAC3) return true;
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

// What Windows has a number for, Matroska holds under a name that stands for all of them. The
// number is in CodecPrivate. FFmpeg's muxer writes such a track without one where it cannot make
// one, and nobody knows what is in it.
bool names_its_codec(const std::string_view header) {
  constexpr std::string_view kCodecPrivate = "\x63\xA2";
  const bool windows = header.find("A_MS/ACM") != std::string_view::npos ||
                       header.find("V_MS/VFW") != std::string_view::npos;
  return !windows || header.find(kCodecPrivate) != std::string_view::npos;
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
  const int size = avio_close_dyn_buf(muxer->pb, &written);
  const std::unique_ptr<std::uint8_t, FreeBy<av_free>> owned(written);
  muxer->pb = nullptr;
  const std::string_view header(reinterpret_cast<const char*>(written),
                                static_cast<std::size_t>(std::max(size, 0)));
  return taken && (container != Container::kMkv || names_its_codec(header));
}

bool matches(const Input& input, const int index, const std::string& specifier) {
  const int found = avformat_match_stream_specifier(&input.format(), input.format().streams[index],
                                                    specifier.c_str());
  if (found < 0)
    throw Error(
        ErrorKind::kConfig,
        "'" + specifier +
            "' is no stream specifier; write them as FFmpeg does: a, a:1, s:m:language:eng, 3");
  return found > 0;
}

bool is_chosen(const Input& input, const int index, const std::vector<std::string>& chosen) {
  return chosen.empty() || std::any_of(chosen.begin(), chosen.end(), [&](const std::string& s) {
           return matches(input, index, s);
         });
}

void check_chosen(const Input& input, const std::vector<std::string>& chosen) {
  for (const std::string& specifier : chosen) {
    bool found = false;
    std::string all;
    for (int i = 0; i < input.stream_count(); ++i) {
      found = matches(input, i, specifier) || found;
      all += (i == 0 ? "" : ", ") + stream_name(input.stream(i));
    }
    if (!found)
      throw Error(ErrorKind::kConfig,
                  "streams: '" + specifier + "' is none of the source's: " + all);
  }
}

StreamPlan plan_streams(const Input& input, const Container container,
                        const AVCodecParameters& encoded, const std::vector<std::string>& chosen) {
  check_chosen(input, chosen);
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
    if (i != input.video_index() && !is_chosen(input, i, chosen)) continue;
    PlannedStream planned;
    planned.input = i;
    switch (stream.codecpar->codec_type) {
      case AVMEDIA_TYPE_VIDEO:
        if (i == input.video_index()) {
          planned.action = StreamAction::kEnhance;
        } else if (is_cover(stream)) {
          planned.action = StreamAction::kCover;
          if (picture_mimetype(codec) == nullptr || stream.attached_pic.size == 0 ||
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
        if (!holds(container, codec) && is_packed_pcm(codec)) {
          planned.parameters = plain_pcm(input, i);
          if (!planned.parameters) {
            plan.warnings.push_back(stream_name(stream) +
                                    " cannot be decoded by this FFmpeg: left out");
            continue;
          }
          planned.action = StreamAction::kToPcm;
        }
        if (const AVCodecID kept = parameters_of(input, planned).codec_id;
            !holds(container, kept)) {
          plan.warnings.push_back(stream_name(stream) + in + ": left out" +
                                  (holds(Container::kMkv, kept) ? "; mkv holds it" : ""));
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
        // The timecode track is made anew from what it says of the video's first frame.
        if (stream.codecpar->codec_tag == MKTAG('t', 'm', 'c', 'd') && input.video_index() >= 0 &&
            !timecode_of(input.stream(input.video_index())).empty())
          continue;
        // A camera's own track (GPMF), which FFmpeg's MP4 has a sample entry for.
        if (container == Container::kMp4 && codec == AV_CODEC_ID_BIN_DATA &&
            stream.codecpar->codec_tag == kGpmf)
          break;
        plan.warnings.push_back(stream_name(stream) + " is not carried: left out");
        continue;
    }
    const bool packets = planned.action != StreamAction::kEnhance &&
                         planned.action != StreamAction::kCover &&
                         planned.action != StreamAction::kAttachment;
    if (planned.action == StreamAction::kCopy && lacks_parameters(*stream.codecpar)) {
      planned.parameters = learn_parameters(input, i);
      if (!planned.parameters) {
        plan.warnings.push_back(stream_name(stream) +
                                " says nowhere how it is coded, as damaged ones do: left out");
        continue;
      }
    }
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
  for (std::string& sentence : lost_chapters(input)) plan.warnings.push_back(std::move(sentence));
  return plan;
}

}  // namespace streamvsr
