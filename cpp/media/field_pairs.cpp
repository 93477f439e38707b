#include "media/field_pairs.h"

#include <optional>
#include <vector>

namespace streamvsr {

namespace {

constexpr int kParameterSet = 7;  // nal_unit_type of a sequence parameter set, ITU-T H.264 7.4.1

// Purpose: reads the bits of a NAL unit's payload. Reads beyond the end give zeros and set ended().
class Bits {
 public:
  explicit Bits(const std::span<const std::uint8_t> nal) {
    int zeros = 0;
    for (const std::uint8_t byte : nal) {
      const bool emulation = zeros >= 2 && byte == 3;  // 7.4.1.1
      zeros = byte == 0 ? zeros + 1 : 0;
      if (!emulation) bytes_.push_back(byte);
    }
  }
  unsigned bit() {
    if (at_ >= 8 * bytes_.size()) {
      ended_ = true;
      return 0;
    }
    const unsigned value = bytes_[at_ / 8] >> (7 - at_ % 8) & 1U;
    ++at_;
    return value;
  }
  unsigned bits(int count) {
    unsigned value = 0;
    while (count-- > 0) value = value << 1 | bit();
    return value;
  }
  unsigned ue() {  // 9.1
    int zeros = 0;
    while (!ended_ && zeros < 32 && bit() == 0) ++zeros;
    return zeros >= 32 ? 0 : (1U << zeros) - 1 + bits(zeros);
  }
  int se() {
    const unsigned code = ue();
    return code % 2 == 1 ? static_cast<int>(code / 2 + 1) : -static_cast<int>(code / 2);
  }
  bool ended() const { return ended_; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool ended_ = false;
};

void skip_scaling_list(Bits& bits, const int size) {  // 7.3.2.1.1.1
  int last = 8, next = 8;
  for (int i = 0; i < size && !bits.ended(); ++i) {
    if (next != 0) next = (last + bits.se() + 256) % 256;
    if (next != 0) last = next;
  }
}

bool has_chroma_format(const unsigned profile) {  // 7.3.2.1.1
  for (const unsigned high : {100U, 110U, 122U, 244U, 44U, 83U, 86U, 118U, 128U, 138U, 139U, 134U})
    if (profile == high) return true;
  return false;
}

// frame_mbs_only_flag of a sequence parameter set without its NAL header, 7.3.2.1.1; nothing where
// it ends too early.
std::optional<bool> frames_only(const std::span<const std::uint8_t> set) {
  Bits bits(set);
  const unsigned profile = bits.bits(8);
  bits.bits(16);  // constraint flags, level
  bits.ue();      // seq_parameter_set_id
  if (has_chroma_format(profile)) {
    const unsigned chroma = bits.ue();
    if (chroma == 3) bits.bit();  // separate_colour_plane_flag
    bits.ue();                    // bit depths
    bits.ue();
    bits.bit();  // qpprime_y_zero_transform_bypass_flag
    if (bits.bit() == 1)
      for (int i = 0; i < (chroma == 3 ? 12 : 8); ++i)
        if (bits.bit() == 1) skip_scaling_list(bits, i < 6 ? 16 : 64);
  }
  bits.ue();  // log2_max_frame_num_minus4
  if (const unsigned type = bits.ue(); type == 0) {
    bits.ue();
  } else if (type == 1) {
    bits.bit();
    bits.se();
    bits.se();
    const unsigned cycle = bits.ue();
    for (unsigned i = 0; i < cycle && !bits.ended(); ++i) bits.se();
  }
  bits.ue();   // max_num_ref_frames
  bits.bit();  // gaps_in_frame_num_value_allowed_flag
  bits.ue();   // width and height
  bits.ue();
  const bool only = bits.bit() == 1;
  if (bits.ended()) return std::nullopt;
  return only;
}

using Bytes = std::span<const std::uint8_t>;

// The sequence parameter sets of an avcC box (ISO/IEC 14496-15, 5.3.3.1) or of an Annex B header,
// without their NAL headers.
std::vector<Bytes> parameter_sets(const Bytes header) {
  std::vector<Bytes> sets;
  if (header.size() >= 7 && header[0] == 1) {
    std::size_t at = 6;
    for (int left = header[5] & 31; left > 0 && at + 2 < header.size(); --left) {
      const std::size_t size = static_cast<std::size_t>(header[at]) << 8 | header[at + 1];
      at += 2;
      if (size < 1 || size > header.size() - at) break;
      sets.push_back(header.subspan(at + 1, size - 1));
      at += size;
    }
    return sets;
  }
  for (std::size_t i = 0; i + 4 <= header.size(); ++i)
    if (header[i] == 0 && header[i + 1] == 0 && header[i + 2] == 1 &&
        (header[i + 3] & 31) == kParameterSet)
      sets.push_back(header.subspan(i + 4));  // the next one's start code does no harm
  return sets;
}

}  // namespace

bool may_hold_fields(const AVCodecParameters& stream) {
  if (stream.codec_id != AV_CODEC_ID_H264) return false;
  const std::vector<Bytes> sets =
      stream.extradata_size > 0
          ? parameter_sets({stream.extradata, static_cast<std::size_t>(stream.extradata_size)})
          : std::vector<Bytes>{};
  for (const Bytes set : sets)
    if (!frames_only(set).value_or(false)) return true;
  return sets.empty();
}

FieldPairs::FieldPairs(const AVCodecParameters& stream)
    : codec_(avcodec_alloc_context3(nullptr)), parser_(av_parser_init(stream.codec_id)) {
  if (!codec_ || !parser_ || avcodec_parameters_to_context(codec_.get(), &stream) < 0)
    throw std::bad_alloc();
  codec_->opaque = log_.get();
  parser_->flags |= PARSER_FLAG_COMPLETE_FRAMES;
}

bool FieldPairs::is_second(const AVPacket& packet) {
  std::uint8_t* out = nullptr;
  int size = 0;
  const LogSink::Scope scope(*log_);
  parser_->picture_structure = AV_PICTURE_STRUCTURE_UNKNOWN;
  av_parser_parse2(parser_.get(), codec_.get(), &out, &size, packet.data, packet.size, packet.pts,
                   packet.dts, packet.pos);
  const AVPictureStructure now = parser_->picture_structure;
  const bool field =
      now == AV_PICTURE_STRUCTURE_TOP_FIELD || now == AV_PICTURE_STRUCTURE_BOTTOM_FIELD;
  const bool second = field && open_ != AV_PICTURE_STRUCTURE_UNKNOWN && open_ != now;
  open_ = field && !second ? now : AV_PICTURE_STRUCTURE_UNKNOWN;
  return second;
}

}  // namespace streamvsr
