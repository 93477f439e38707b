#include "media/telecine.h"

namespace streamvsr {

namespace {

constexpr int kTopFirst = 5, kBottomFirst = 6, kTwice = 7, kThrice = 8;

// Of H.264's units and messages.
constexpr int kLastSlice = 5, kSupplement = 6;
constexpr std::size_t kPictureTiming = 1;

using ParserPtr = std::unique_ptr<AVCodecParserContext, FreeBy<av_parser_close>>;

// Where the payload of a unit of messages (SEI) has its picture timing, if that is one byte: the
// bytes behind the unit's own. Null without one.
std::uint8_t* timing_in(const std::span<std::uint8_t> unit) {
  std::size_t at = 0;
  int zeros = 0;
  // The next byte as it was before 3s were put between zeros and what looks like a start code.
  const auto next = [&]() -> std::uint8_t* {
    if (at < unit.size() && zeros >= 2 && unit[at] == 3) {
      zeros = 0;
      ++at;
    }
    if (at >= unit.size()) return nullptr;
    zeros = unit[at] == 0 ? zeros + 1 : 0;
    return &unit[at++];
  };
  const auto number = [&](std::size_t& value) {  // 255 and so on, then the rest
    for (value = 0;;) {
      const std::uint8_t* const byte = next();
      if (byte == nullptr) return false;
      value += *byte;
      if (*byte != 255) return true;
    }
  };
  std::size_t type = 0, size = 0;
  while (number(type) && number(size)) {
    if (type == kPictureTiming && size == 1) return next();
    for (; size > 0; --size)
      if (next() == nullptr) return nullptr;
  }
  return nullptr;
}

// The byte that begins with a packet's pic_struct; null without one.
std::uint8_t* timing_of(const std::span<std::uint8_t> packet) {
  const auto starts = [&](const std::size_t at) {
    return packet[at] == 0 && packet[at + 1] == 0 && packet[at + 2] == 1;
  };
  for (std::size_t at = 0; at + 3 < packet.size(); ++at) {
    if (!starts(at)) continue;
    const std::size_t begin = at + 3;
    const int type = packet[begin] & 31;
    if (type >= 1 && type <= kLastSlice) return nullptr;  // messages come before a picture's data
    if (type != kSupplement) continue;
    std::size_t end = begin;
    while (end < packet.size() && (end + 2 >= packet.size() || !starts(end))) ++end;
    if (std::uint8_t* const found = timing_in(packet.subspan(begin + 1, end - begin - 1)))
      return found;
  }
  return nullptr;
}

std::span<std::uint8_t> bytes_of(const AVPacket& packet) {
  return {packet.data, static_cast<std::size_t>(packet.size)};
}

// The message of one byte: pic_struct, no clock timestamp, the bit that ends it, and zeros.
std::uint8_t timing_byte(const int value) {
  const int timestamps = value == 0 ? 1 : value == kTwice ? 2 : 3;
  return static_cast<std::uint8_t>(value << 4 | 1 << (3 - timestamps));
}

}  // namespace

int pic_struct(const AVFrame& frame) {
  if (frame_is_interlaced(frame)) return 0;
  switch (frame.repeat_pict) {  // half pictures more than one
    case 1:
      return frame_shows_top_first(frame) ? kTopFirst : kBottomFirst;
    case 2:
      return kTwice;
    case 4:
      return kThrice;
    default:
      return 0;
  }
}

bool is_soft_telecine(const Input& described) {
  const std::string& path = described.path();
  const AVCodecParameters& parameters = *described.stream(described.video_index()).codecpar;
  if (parameters.codec_id != AV_CODEC_ID_MPEG2VIDEO && parameters.codec_id != AV_CODEC_ID_H264)
    return false;
  Input input(path);
  LogSink log;  // of damage, which the decoder will meet again; outlives the codec
  const LogSink::Scope scope(log);
  const ParserPtr parser(av_parser_init(parameters.codec_id));
  const CodecPtr codec(avcodec_alloc_context3(nullptr));
  if (!parser) return false;
  if (!codec) throw std::bad_alloc();
  check(avcodec_parameters_to_context(codec.get(), &parameters), "take the parameters of", path);
  codec->opaque = &log;
  parser->flags |= PARSER_FLAG_COMPLETE_FRAMES;
  input.select_only(input.video_index());
  const PacketPtr packet = make_packet();
  for (int i = 0; i < kTelecineLook && input.read(*packet); ++i) {
    std::uint8_t* data = nullptr;
    int size = 0;
    av_parser_parse2(parser.get(), codec.get(), &data, &size, packet->data, packet->size,
                     packet->pts, packet->dts, packet->pos);
    if (parser->repeat_pict > 1) return true;  // a frame of two fields has 1
  }
  return false;
}

bool set_pic_struct(AVPacket& packet, const int value) {
  std::uint8_t* const byte = timing_of(bytes_of(packet));
  if (byte != nullptr) *byte = timing_byte(value);
  return byte != nullptr;
}

void copy_pic_struct(const AVPacket& from, AVPacket& to) {
  const std::uint8_t* const source = timing_of(bytes_of(from));
  std::uint8_t* const target = timing_of(bytes_of(to));
  if (source != nullptr && target != nullptr) *target = *source;
}

}  // namespace streamvsr
