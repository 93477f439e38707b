#include "media/color_tags.h"

namespace streamvsr {

namespace {

// ITU-T H.273, tables 2 to 4; 2 is "unspecified".
bool known_primaries(const int code) {
  return code == 1 || code == 2 || (code >= 4 && code <= 12) || code == 22;
}
bool known_transfer(const int code) { return code == 1 || code == 2 || (code >= 4 && code <= 18); }
bool known_matrix_code(const int code) { return code >= 0 && code <= 17 && code != 3; }

constexpr int kEbu3213 = 22;

bool is_full_range_format(const AVPixelFormat format) {
  const char* const name = av_get_pix_fmt_name(format);
  return name != nullptr && std::string_view(name).substr(0, 4) == "yuvj";
}

}  // namespace

bool is_rgb(const AVPixelFormat format) {
  const AVPixFmtDescriptor* const d = av_pix_fmt_desc_get(format);
  return d != nullptr && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

std::vector<std::string> DroppedTags::warnings() const {
  std::vector<std::string> all;
  const auto code = [](const int value) { return " (code point " + std::to_string(value) + ")"; };
  if (matrix == 0)
    all.push_back("the source tags its colour matrix as RGB" + code(matrix) +
                  ", but its pictures are not RGB: the tag is ignored; set color_matrix to say "
                  "which matrix it has");
  else if (matrix > 0)
    all.push_back("the source's colour matrix tag" + code(matrix) +
                  " is a reserved value: ignored; set color_matrix to say which matrix it has");
  if (transfer >= 0)
    all.push_back("the source's transfer tag" + code(transfer) +
                  " is a reserved value: the output has none");
  if (primaries >= 0)
    all.push_back("the source's colour primaries tag" + code(primaries) +
                  " is a reserved value: the output has none");
  if (range) all.push_back("the source's colour range tag is an unknown value: ignored");
  if (rgb_range)
    all.push_back("the source tags its RGB pictures as limited range: read as full range");
  if (yuvj_range)
    all.push_back(
        "the source tags pictures in a full-range pixel format as limited range: read as full "
        "range");
  return all;
}

DroppedTags drop_impossible_tags(AVFrame& frame) {
  DroppedTags dropped;
  const auto format = static_cast<AVPixelFormat>(frame.format);
  const bool rgb = is_rgb(format);
  // As numbers: values that the enumerations do not list come out of files too.
  const int matrix = static_cast<int>(frame.colorspace);
  const int transfer = static_cast<int>(frame.color_trc);
  const int primaries = static_cast<int>(frame.color_primaries);
  const int range = static_cast<int>(frame.color_range);
  if (!known_matrix_code(matrix) || (matrix == AVCOL_SPC_RGB && !rgb)) {
    // The matrix of RGB pictures is never used.
    if (!rgb) dropped.matrix = matrix;
    frame.colorspace = AVCOL_SPC_UNSPECIFIED;
  }
  if (!known_transfer(transfer)) {
    dropped.transfer = transfer;
    frame.color_trc = AVCOL_TRC_UNSPECIFIED;
  }
  if (!known_primaries(primaries)) {
    dropped.primaries = primaries;
    frame.color_primaries = AVCOL_PRI_UNSPECIFIED;
  }
  if (range < AVCOL_RANGE_UNSPECIFIED || range > AVCOL_RANGE_JPEG) {
    dropped.range = true;
    frame.color_range = AVCOL_RANGE_UNSPECIFIED;
  }
  if (frame.color_range == AVCOL_RANGE_MPEG) {
    dropped.rgb_range = rgb;
    dropped.yuvj_range = is_full_range_format(format);
    if (rgb || dropped.yuvj_range) frame.color_range = AVCOL_RANGE_JPEG;
  }
  return dropped;
}

bool encoder_knows_primaries(const std::string& codec, const AVColorPrimaries primaries) {
  return (codec != "h264" && codec != "hevc") || static_cast<int>(primaries) != kEbu3213;
}

void set_primaries(ParametersPtr& parameters, const AVColorPrimaries primaries) {
  const std::string name =
      parameters->codec_id == AV_CODEC_ID_HEVC ? "hevc_metadata" : "h264_metadata";
  const AVBitStreamFilter* const filter = av_bsf_get_by_name(name.c_str());
  if (filter == nullptr)
    throw Error(ErrorKind::kConfig, "this FFmpeg was built without the bitstream filter " + name +
                                        ", which writes the source's colour primaries");
  AVBSFContext* context = nullptr;
  if (av_bsf_alloc(filter, &context) < 0) throw std::bad_alloc();
  const BsfPtr rewriter(context);
  if (avcodec_parameters_copy(rewriter->par_in, parameters.get()) < 0) throw std::bad_alloc();
  check(av_opt_set_int(rewriter->priv_data, "colour_primaries", static_cast<int>(primaries), 0),
        "set up", name, ErrorKind::kInternal);
  check(av_bsf_init(rewriter.get()), "write the colour primaries with", name, ErrorKind::kInternal);
  if (avcodec_parameters_copy(parameters.get(), rewriter->par_out) < 0) throw std::bad_alloc();
  parameters->color_primaries = primaries;
}

}  // namespace streamvsr
