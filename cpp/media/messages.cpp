#include "media/messages.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "media/video_codec.h"

namespace streamvsr {

namespace {

using Bytes = std::vector<std::uint8_t>;

// Luma samples that first_side_data() decodes, about: 30 pictures of 1920x1080.
constexpr std::int64_t kLookSamples = std::int64_t{30} * 1920 * 1080;

// Of H.264 and HEVC.
constexpr int kRegisteredT35 = 4, kFramePacking = 45;

constexpr std::uint8_t kAtsc[] = {0xB5, 0x00, 0x31};  // United States; ATSC (ITU-T T.35)

// ATSC A/53 part 4, table 6.9.
Bytes caption_payload(const Bytes& captions) {
  Bytes all(std::begin(kAtsc), std::end(kAtsc));
  for (const char c : {'G', 'A', '9', '4'}) all.push_back(static_cast<std::uint8_t>(c));
  all.push_back(3);  // cc_data
  all.push_back(static_cast<std::uint8_t>(0x40 | captions.size() / 3));
  all.push_back(0xFF);
  all.insert(all.end(), captions.begin(), captions.end());
  all.push_back(0xFF);
  return all;
}

// ATSC A/53 part 4, table 6.13.
Bytes active_format_payload(const int format) {
  Bytes all(std::begin(kAtsc), std::end(kAtsc));
  for (const char c : {'D', 'T', 'G', '1'}) all.push_back(static_cast<std::uint8_t>(c));
  all.push_back(0x41);
  all.push_back(static_cast<std::uint8_t>(0xF0 | format));
  return all;
}

// frame_packing_arrangement_type (ITU-T H.264, table D-8); negative: none.
int arrangement(const AVStereo3DType type) {
  switch (type) {
    case AV_STEREO3D_CHECKERBOARD:
      return 0;
    case AV_STEREO3D_COLUMNS:
      return 1;
    case AV_STEREO3D_LINES:
      return 2;
    case AV_STEREO3D_SIDEBYSIDE:
    case AV_STEREO3D_SIDEBYSIDE_QUINCUNX:
      return 3;
    case AV_STEREO3D_TOPBOTTOM:
      return 4;
    default:
      return -1;
  }
}

// ITU-T H.264, D.1.26; valid until the next one.
Bytes packing_payload(const FramePacking& packing) {
  Bytes all;
  int used = 0;
  const auto put = [&](const unsigned value, const int bits) {
    for (int bit = bits - 1; bit >= 0; --bit, ++used) {
      if (used % 8 == 0) all.push_back(0);
      all.back() = static_cast<std::uint8_t>(all.back() | ((value >> bit) & 1U) << (7 - used % 8));
    }
  };
  const bool quincunx =
      packing.type == AV_STEREO3D_SIDEBYSIDE_QUINCUNX || packing.type == AV_STEREO3D_CHECKERBOARD;
  put(1, 1);  // identifier 0
  put(0, 1);  // not cancelled
  put(static_cast<unsigned>(arrangement(packing.type)), 7);
  put(quincunx ? 1 : 0, 1);
  put(packing.right_first ? 2 : 1, 6);
  put(0, 6);                  // no flips, no fields, no self-contained views
  if (!quincunx) put(0, 16);  // grid positions
  put(0, 8);
  put(2, 3);  // repetition period 1: until the next one
  put(0, 1);
  if (used % 8 != 0) put(1, 1);  // a one, then zeros up to a whole byte
  return all;
}

// Units of supplemental messages, with their start code.
Bytes supplement(const bool hevc, const std::vector<std::pair<int, Bytes>>& messages) {
  Bytes raw;
  for (const auto& [type, payload] : messages) {
    raw.push_back(static_cast<std::uint8_t>(type));
    raw.push_back(static_cast<std::uint8_t>(payload.size()));  // always below 255
    raw.insert(raw.end(), payload.begin(), payload.end());
  }
  raw.push_back(0x80);
  Bytes unit = {0, 0, 0, 1};
  if (hevc)
    unit.insert(unit.end(), {39 << 1, 1});  // a prefix message of layer 0
  else
    unit.push_back(6);
  int zeros = 0;
  for (const std::uint8_t byte : raw) {
    if (zeros >= 2 && byte <= 3) {
      unit.push_back(3);
      zeros = 0;
    }
    unit.push_back(byte);
    zeros = byte == 0 ? zeros + 1 : 0;
  }
  return unit;
}

// Where the first unit with coded samples begins, start code included; the end without one.
std::size_t first_slice(const std::span<const std::uint8_t> packet, const bool hevc) {
  for (std::size_t at = 0; at + 3 < packet.size(); ++at) {
    if (packet[at] != 0 || packet[at + 1] != 0 || packet[at + 2] != 1) continue;
    const int head = packet[at + 3];
    const int type = hevc ? head >> 1 & 63 : head & 31;
    if (hevc ? type < 32 : type >= 1 && type <= 5)
      return at > 0 && packet[at - 1] == 0 ? at - 1 : at;
  }
  return packet.size();
}

// A pan and scan that shows the whole picture, as FFmpeg tells it of all MPEG-2.
bool shows_all(const AVFrame& frame, const AVFrameSideData& data) {
  if (data.type != AV_FRAME_DATA_PANSCAN || data.size < sizeof(AVPanScan)) return false;
  constexpr int kParts = 16;  // its unit is this part of a sample
  AVPanScan pan;
  std::memcpy(&pan, data.data, sizeof pan);
  return pan.width >= kParts * frame.width && pan.height >= kParts * frame.height;
}

void insert(AVPacket& packet, const std::size_t at, const Bytes& bytes) {
  const auto before = static_cast<std::size_t>(packet.size);
  if (av_grow_packet(&packet, static_cast<int>(bytes.size())) < 0) throw std::bad_alloc();
  std::memmove(packet.data + at + bytes.size(), packet.data + at, before - at);
  std::memcpy(packet.data + at, bytes.data(), bytes.size());
}

}  // namespace

PictureMessages messages_of(const AVFrame& frame) {
  PictureMessages messages;
  if (const AVFrameSideData* const data = av_frame_get_side_data(&frame, AV_FRAME_DATA_A53_CC)) {
    const std::size_t bytes =
        std::min<std::size_t>(data->size - data->size % 3, PictureMessages::kMostCaptions);
    messages.captions.assign(data->data, data->data + bytes);
  }
  if (const AVFrameSideData* const data = av_frame_get_side_data(&frame, AV_FRAME_DATA_AFD);
      data != nullptr && data->size >= 1)
    messages.active_format = data->data[0] & 15;
  return messages;
}

std::optional<FramePacking> frame_packing(const AVFrame& frame) {
  const AVFrameSideData* const data = av_frame_get_side_data(&frame, AV_FRAME_DATA_STEREO3D);
  if (data == nullptr || data->size < sizeof(AVStereo3D)) return std::nullopt;
  AVStereo3D stereo;
  std::memcpy(&stereo, data->data, sizeof stereo);
  if (stereo.type == AV_STEREO3D_2D) return std::nullopt;
  return FramePacking{stereo.type, (stereo.flags & AV_STEREO3D_FLAG_INVERT) != 0};
}

bool holds_captions(const std::string& codec) { return codec == "h264" || codec == "hevc"; }

bool holds_active_format(const std::string& codec) { return codec == "h264" || codec == "hevc"; }

bool holds_packing(const std::string& codec, const FramePacking& packing) {
  const int type = arrangement(packing.type);
  return codec == "h264" ? type >= 0 : codec == "hevc" && type >= 3;  // HEVC has no other types
}

std::int64_t insert_messages(AVPacket& packet, const std::string& codec,
                             const PictureMessages& messages,
                             const std::optional<FramePacking>& packing) {
  const bool captions = !messages.captions.empty() && holds_captions(codec);
  const std::span<const std::uint8_t> bytes(packet.data, static_cast<std::size_t>(packet.size));
  const int before = packet.size;
  std::vector<std::pair<int, Bytes>> all;
  if (packing && (packet.flags & AV_PKT_FLAG_KEY) != 0 && holds_packing(codec, *packing))
    all.emplace_back(kFramePacking, packing_payload(*packing));
  if (captions) all.emplace_back(kRegisteredT35, caption_payload(messages.captions));
  if (messages.active_format >= 0 && holds_active_format(codec))
    all.emplace_back(kRegisteredT35, active_format_payload(messages.active_format));
  if (all.empty()) return 0;
  const bool hevc = codec == "hevc";
  insert(packet, first_slice(bytes, hevc), supplement(hevc, all));
  return packet.size - before;
}

void drop_messages(AVFrame& frame) {
  for (const AVFrameSideDataType type : {AV_FRAME_DATA_SEI_UNREGISTERED, AV_FRAME_DATA_A53_CC,
                                         AV_FRAME_DATA_AFD, AV_FRAME_DATA_STEREO3D})
    av_frame_remove_side_data(&frame, type);
}

std::set<AVFrameSideDataType> first_side_data(const Input& described, const int threads,
                                              const StopFlag& stop) {
  Input input(described.path());
  LogSink log;  // of damage, which the job will meet again; outlives the codec
  const LogSink::Scope scope(log);
  const CodecPtr codec = open_video_codec(input, threads, log);
  input.select_only(input.video_index());
  const AVCodecParameters& parameters = *input.stream(input.video_index()).codecpar;
  const std::int64_t samples =
      std::max<std::int64_t>(1, std::int64_t{parameters.width} * parameters.height);
  const std::int64_t most = std::clamp<std::int64_t>(kLookSamples / samples, 2, kMessageLook);
  std::set<AVFrameSideDataType> found;
  const PacketPtr packet = make_packet();
  const FramePtr frame = make_frame();
  std::int64_t pictures = 0;
  const auto take = [&] {
    while (pictures < most && avcodec_receive_frame(codec.get(), frame.get()) >= 0) {
      ++pictures;
      for (int i = 0; i < frame->nb_side_data; ++i)
        if (!shows_all(*frame, *frame->side_data[i])) found.insert(frame->side_data[i]->type);
    }
  };
  // Damage may keep a decoder from giving any picture.
  for (int packets = 0; pictures < most && packets < 4 * kMessageLook && input.read(*packet);
       ++packets) {
    stop.check();
    avcodec_send_packet(codec.get(), packet.get());
    take();
  }
  avcodec_send_packet(codec.get(), nullptr);
  take();
  return found;
}

}  // namespace streamvsr
