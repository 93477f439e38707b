#include "pipeline/plan_picture.h"

#include <cmath>
#include <cstdlib>

#include "media/telecine.h"
#include "pipeline/source_info.h"

namespace streamvsr {

namespace {

constexpr int kMostSide = 32768;  // samples; beyond it zimg and the encoders give up

Interlaced parse_interlaced(const std::string& name) {
  if (name == "deinterlace") return Interlaced::kDeinterlace;
  if (name == "keep") return Interlaced::kKeep;
  if (name == "refuse") return Interlaced::kRefuse;
  throw Error(ErrorKind::kConfig, "unknown way with interlaced video '" + name +
                                      "'; choose deinterlace, keep or refuse");
}

AVColorSpace parse_matrix(const std::string& name) {
  if (name.empty()) return AVCOL_SPC_UNSPECIFIED;
  if (name == "bt601") return AVCOL_SPC_SMPTE170M;
  if (name == "bt709") return AVCOL_SPC_BT709;
  if (name == "bt2020") return AVCOL_SPC_BT2020_NCL;
  throw Error(ErrorKind::kConfig,
              "unknown color_matrix '" + name + "'; choose bt601, bt709 or bt2020");
}

// The turn that a display matrix asks for, where it is by right angles: a point (x, y) is shown at
// (a x + c y, b x + d y).
std::optional<Orientation> orientation_of(const AVStream& stream) {
  const std::int32_t* const matrix = display_matrix(stream);
  if (matrix == nullptr) return Orientation{};
  const std::int32_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  if (a != 0 && d != 0 && b == 0 && c == 0 && std::abs(a) == std::abs(d))
    return Orientation{false, a < 0, d < 0};
  if (b != 0 && c != 0 && a == 0 && d == 0 && std::abs(b) == std::abs(c))
    return Orientation{true, c < 0, b < 0};
  return std::nullopt;
}

std::string name(const AVPixelFormat format) { return av_get_pix_fmt_name(format); }

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& n : names) all += (all.empty() ? "" : " and ") + n;
  return all;
}

// Whether the packets of an encoder with these settings can be marked: the user's options for it
// may leave no room.
bool can_be_marked(const EncoderSettings& settings, const PlaneFormat& format) {
  Encoder encoder(settings);
  const FramePtr frame = to_frame(Planes(format), settings.format);
  frame->pts = 0;
  encoder.send(frame.get());
  encoder.send(nullptr);
  const PacketPtr packet = make_packet();
  return encoder.receive(*packet) && set_pic_struct(*packet, 0);
}

// For a decoder that looks at the first picture.
DecoderSettings probing_settings(const JobConfig& config, const Input& input,
                                 const ContainerCropping& shown, JobPlan& plan) {
  DecoderSettings& settings = plan.decoder;
  settings.interlaced = parse_interlaced(config.interlaced);
  settings.refuse_resized = config.refuse_resized;
  settings.matrix = parse_matrix(config.color_matrix);
  settings.cropping = shown.cropping;
  if (shown.senseless)
    plan.warnings.push_back(
        "the container tells a cropping that leaves nothing of the pictures, or that reaches "
        "beyond them: ignored");
  if (config.apply_rotation) {
    const AVStream& stream = input.stream(input.video_index());
    const std::optional<Orientation> orientation = orientation_of(stream);
    settings.orientation = orientation.value_or(Orientation{});
    if (!orientation)
      plan.warnings.push_back(
          "the picture is turned by no right angle: the mark that says so is kept, not applied");
  }
  DecoderSettings probing = settings;
  // One thread: the first picture is looked at before it is known how many there is memory for.
  probing.threads = 1;
  return probing;
}

// From a decoder that has handed out its first picture.
void describe_source(const Input& input, const Decoder& decoder, const ContainerCropping& shown,
                     JobPlan& plan) {
  const AVStream& stream = input.stream(input.video_index());
  const AVFrame& first = *decoder.first_frame();
  const auto source_pixels = static_cast<AVPixelFormat>(first.format);
  const DecoderSettings& found = decoder.settings();
  plan.source_format = decoder.planes();
  plan.decoder.format = found.format;
  plan.decoder.width = found.width;
  plan.decoder.height = found.height;
  plan.decoder.color = found.color;
  plan.color = *found.color;
  EncoderSettings& encoder = plan.encoder;
  encoder.range = plan.color.full_range ? AVCOL_RANGE_JPEG : first.color_range;
  encoder.space = first.colorspace;
  encoder.transfer = first.color_trc;
  encoder.primaries = first.color_primaries;
  encoder.chroma_location = first.chroma_location;
  const Orientation& orientation = plan.decoder.orientation;
  if (!orientation.upright() && plan.color.siting == ChromaSiting::kCenter)
    encoder.chroma_location = AVCHROMA_LOC_CENTER;
  encoder.light = light_metadata(stream, first);
  for (std::string& warning : decoder.dropped_tags().warnings())
    plan.warnings.push_back(std::move(warning));
  // WebM's alpha is a second picture beside each packet, which FFmpeg's own decoders leave alone.
  const AVDictionaryEntry* const beside = av_dict_get(stream.metadata, "alpha_mode", nullptr, 0);
  if (decoder.first_has_alpha() || (beside != nullptr && std::string(beside->value) == "1"))
    plan.warnings.push_back("the source's alpha channel is left out");
  if (is_rgb(source_pixels)) {
    encoder.range = AVCOL_RANGE_MPEG;
    encoder.space = AVCOL_SPC_BT709;
    plan.warnings.push_back("the source's " + name(source_pixels) + " pictures become " +
                            name(found.format) + " (BT.709, limited range)");
  }
  if (const std::vector<std::string> lost = dynamic_light(stream, first); !lost.empty())
    plan.warnings.push_back("the source's " + joined(lost) +
                            " metadata changes from picture to picture and fits none but the "
                            "source's: left out; what holds for the whole film is kept");
  if (const int profile = dolby_vision_alone(stream, first); profile > 0)
    plan.warnings.push_back("the source is Dolby Vision of profile " + std::to_string(profile) +
                            ", whose pictures show right colours only with the metadata that is "
                            "left out: the output's colours will be wrong; use a source of HDR10, "
                            "HLG or Dolby Vision of profile 7 or 8");
  const AVRational sar = shown.aspect.value_or(
      stream.sample_aspect_ratio.num > 0 ? stream.sample_aspect_ratio : first.sample_aspect_ratio);
  if (sar.num > 0 && sar.den > 0)
    encoder.sample_aspect_ratio = orientation.transposed ? av_inv_q(sar) : sar;
  if (decoder.met_interlaced() && plan.decoder.interlaced == Interlaced::kDeinterlace)
    plan.warnings.push_back(
        "the source is interlaced: each of its frames becomes one progressive picture (bwdif)");
  if (decoder.met_interlaced() && plan.decoder.interlaced == Interlaced::kKeep)
    plan.warnings.push_back(
        "the source is interlaced: its pictures are enhanced as if they were progressive");
}

}  // namespace

Reading plan_reading(const Input& input, const PlanningTick& tick, const StopFlag& stop,
                     JobPlan& plan) {
  const std::string& path = input.path();
  SourceIndex index = index_source(path, tick);
  if (index.encrypted)
    throw Error(ErrorKind::kInput, "'" + path + "' is encrypted; decrypt it first", path);
  const AVStream& stream = input.stream(input.video_index());
  plan.time_base = stream.time_base;
  plan.frame_rate = mean_rate(index, stream);
  plan.decoder.threads = plan.config.decoder_threads;
  plan.decoder.unique_times = index.unique_times;
  plan.decoder.last = index.last;
  plan.decoder.field_packets = index.field_packets;
  plan.decoder.nominal_duration =
      std::max<std::int64_t>(1, av_rescale_q(1, av_inv_q(plan.frame_rate), stream.time_base));
  const ContainerCropping shown = container_cropping(input);
  Decoder first(path, probing_settings(plan.config, input, shown, plan), stop);
  if (!first.next())
    throw Error(ErrorKind::kInput,
                "not one picture of '" + path + "' can be decoded" +
                    (first.damage_words().empty() ? "" : " (FFmpeg: " + first.damage_words() + ")"),
                path);
  describe_source(input, first, shown, plan);
  plan.decoder.bits_per_pixel =
      index.bits_per_pixel(plan.source_format.width, plan.source_format.height);
  return {std::move(index), std::move(first)};
}

PlaneFormat output_size(const JobConfig& config, const PlaneFormat& enhanced, PlaneFormat format) {
  format.width = config.width;
  format.height = config.height;
  const auto derived = [](const int asked, const int of, const int other, const int log2_sub) {
    const double exact = static_cast<double>(asked) * other / of;
    const double cell = 1 << log2_sub;
    return static_cast<int>(std::max(1.0, std::round(exact / cell)) * cell);
  };
  if (config.width == 0 && config.height == 0) {
    format.width = enhanced.width;
    format.height = enhanced.height;
    return format;
  }
  if (format.height == 0)
    format.height = derived(config.width, enhanced.width, enhanced.height, format.log2_sub_y);
  if (format.width == 0)
    format.width = derived(config.height, enhanced.height, enhanced.width, format.log2_sub_x);
  for (const auto& [side, samples, log2_sub] :
       {std::tuple{"width", format.width, format.log2_sub_x},
        std::tuple{"height", format.height, format.log2_sub_y}}) {
    const std::string is = std::string("the output's ") + side + " is " + std::to_string(samples);
    if (samples < 1 || samples > kMostSide)
      throw Error(ErrorKind::kConfig, is + "; choose 1 to " + std::to_string(kMostSide));
    if (samples % (1 << log2_sub) != 0)
      throw Error(ErrorKind::kConfig, is + ", and its pixel format wants a multiple of " +
                                          std::to_string(1 << log2_sub));
  }
  return format;
}

void describe_output(const PlaneFormat& enhanced, JobPlan& plan) {
  const JobConfig& config = plan.config;
  plan.enhanced_format = enhanced;
  EncoderSettings& encoder = plan.encoder;
  encoder.codec = config.video_codec;
  encoder.crf = config.crf;
  encoder.preset = config.encoder_preset;
  encoder.options = config.encoder_options;
  encoder.threads = config.encoder_threads;
  const AVPixelFormat source = pixel_format(plan.source_format);
  encoder.format = choose_pixel_format(config.video_codec, source, config.pixel_format);
  const auto format = plane_format(encoder.format, enhanced.width, enhanced.height);
  if (!format)
    throw Error(ErrorKind::kConfig, "pixel format '" + config.pixel_format +
                                        "' is not planar; choose a planar one such as yuv420p");
  plan.output_format = output_size(config, enhanced, *format);
  encoder.width = plan.output_format.width;
  encoder.height = plan.output_format.height;
  encoder.time_base = {1, plan.time_base.den};
  encoder.frame_rate = plan.frame_rate;
  if (format->rgb) {
    encoder.space = AVCOL_SPC_RGB;
    encoder.range = AVCOL_RANGE_JPEG;
    encoder.chroma_location = AVCHROMA_LOC_UNSPECIFIED;
  }
  // Another shape is another shape of samples; one side alone keeps it but for rounding.
  if (config.width > 0 && config.height > 0) {
    const AVRational before =
        encoder.sample_aspect_ratio.num > 0 ? encoder.sample_aspect_ratio : AVRational{1, 1};
    AVRational after{};
    av_reduce(&after.num, &after.den, std::int64_t{before.num} * enhanced.width * encoder.height,
              std::int64_t{before.den} * enhanced.height * encoder.width, INT32_MAX);
    if (after.num != after.den || encoder.sample_aspect_ratio.num > 0)
      encoder.sample_aspect_ratio = after;
  }
  const ColorDescription guessed = resolved({}, plan.output_format);
  if (encoder.space == AVCOL_SPC_UNSPECIFIED && plan.source_format.plane_count > 1 &&
      guessed.matrix != plan.color.matrix)
    plan.warnings.push_back(
        std::string("the source does not tell its colour matrix: by its size ") +
        matrix_name(plan.color.matrix) +
        ", while players may take the larger "
        "output for " +
        matrix_name(guessed.matrix) + "; set color_matrix to have it written");
  if (encoder.format != source && config.pixel_format.empty())
    plan.warnings.push_back(config.video_codec + " has no " + name(source) + ": the output is " +
                            name(encoder.format));
}

void plan_telecine(const Input& input, JobPlan& plan) {
  if (!is_soft_telecine(input)) return;
  EncoderSettings& encoder = plan.encoder;
  const bool h264 = encoder.codec == "h264";
  encoder.pic_struct = h264;
  if (h264 && can_be_marked(encoder, plan.output_format)) return;
  encoder.pic_struct = false;
  plan.warnings.push_back(
      "the source marks pictures whose fields a display is to show again (soft telecine): the "
      "marks are left out, since " +
      (h264 ? "the options of the encoder leave no room for them"
            : encoder.codec + " as it is encoded here has none; h264 keeps them") +
      "; the pictures' times stay");
}

}  // namespace streamvsr
