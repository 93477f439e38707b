#include "media/av.h"

#include <algorithm>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <new>
#include <set>

namespace streamvsr {

namespace {

thread_local LogSink* current_sink = nullptr;

// The sinks there are: `opaque` may be anything in the contexts of others who use the same FFmpeg
// in this process.
Mutex sinks_mutex;
std::set<const void*>& live_sinks() REQUIRES(sinks_mutex) {
  static std::set<const void*> sinks;
  return sinks;
}

LogSink* live(void* const opaque) REQUIRES(sinks_mutex) {
  return live_sinks().count(opaque) > 0 ? static_cast<LogSink*>(opaque) : nullptr;
}

LogSink* sink_of(void* context) REQUIRES(sinks_mutex) {
  if (context != nullptr) {
    const auto* const type = *static_cast<const AVClass* const*>(context);
    if (type == avcodec_get_class()) {
      if (LogSink* const sink = live(static_cast<AVCodecContext*>(context)->opaque)) return sink;
    } else if (type == avformat_get_class()) {
      if (LogSink* const sink = live(static_cast<AVFormatContext*>(context)->opaque)) return sink;
    }
  }
  return current_sink;
}

void route(void* context, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_ERROR) return;
  const Lock lock(sinks_mutex);
  LogSink* const sink = sink_of(context);
  if (sink == nullptr) {
    av_log_default_callback(context, level, format, arguments);
    return;
  }
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  std::string_view text(line);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  if (!text.empty()) sink->error(text);
}

}  // namespace

LogSink::LogSink() {
  const Lock lock(sinks_mutex);
  live_sinks().insert(this);
}

LogSink::~LogSink() {
  const Lock lock(sinks_mutex);
  live_sinks().erase(this);
}

void LogSink::error(const std::string_view line) {
  const Lock lock(mutex_);
  last_ = line;
  errors_.fetch_add(1, std::memory_order_release);
}

std::string LogSink::last_words() const {
  const Lock lock(mutex_);
  return last_;
}

LogSink::Scope::Scope(LogSink& sink) : previous_(current_sink) { current_sink = &sink; }
LogSink::Scope::~Scope() { current_sink = previous_; }

void install_log_routing() {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(route); });
}

PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  if (!packet) throw std::bad_alloc();
  return packet;
}

FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  if (!frame) throw std::bad_alloc();
  return frame;
}

void set_extradata(AVCodecParameters& parameters, const std::span<const std::uint8_t> data) {
  av_freep(&parameters.extradata);
  parameters.extradata_size = 0;
  parameters.extradata =
      static_cast<std::uint8_t*>(av_mallocz(data.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) throw std::bad_alloc();
  std::copy(data.begin(), data.end(), parameters.extradata);
  parameters.extradata_size = static_cast<int>(data.size());
}

std::string av_text(const int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof text);
  return text;
}

int check(const int result, const std::string_view doing, const std::string& what,
          const ErrorKind kind, const LogSink* const log) {
  if (result >= 0) return result;
  if (result == AVERROR(ENOMEM)) throw std::bad_alloc();
  std::string message = "cannot " + std::string(doing) + " '" + what + "': " + av_text(result);
  const std::string words = log != nullptr ? log->last_words() : std::string();
  if (!words.empty()) message += " (FFmpeg: " + words + ")";
  throw Error(kind, message, what, kind == ErrorKind::kIo ? AVUNERROR(result) : 0);
}

std::string Dictionary::first_left() const {
  const AVDictionaryEntry* const entry = av_dict_get(entries_, "", nullptr, AV_DICT_IGNORE_SUFFIX);
  return entry != nullptr ? entry->key : "";
}

std::string ffmpeg_version() { return av_version_info(); }

std::string processor_features() {
  char text[16];
  const auto flags = static_cast<unsigned>(av_get_cpu_flags());
  return {text, std::to_chars(text, text + sizeof text, flags, 16).ptr};
}

std::map<std::string, std::string> to_map(const AVDictionary* const dictionary) {
  std::map<std::string, std::string> map;
  const AVDictionaryEntry* entry = nullptr;
  while ((entry = av_dict_get(dictionary, "", entry, AV_DICT_IGNORE_SUFFIX)) != nullptr)
    map[entry->key] = entry->value;
  return map;
}

std::int64_t frame_duration(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  return frame.duration;
#else
  return frame.pkt_duration;
#endif
}

void set_frame_duration(AVFrame& frame, const std::int64_t duration) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
  frame.duration = duration;
#else
  frame.pkt_duration = duration;
#endif
}

bool frame_is_corrupt(const AVFrame& frame) {
  return (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame.decode_error_flags != 0;
}

bool frame_is_interlaced(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return frame.interlaced_frame != 0;
#endif
}

bool frame_shows_top_first(const AVFrame& frame) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (frame.flags & AV_FRAME_FLAG_TOP_FIELD_FIRST) != 0;
#else
  return frame.top_field_first != 0;
#endif
}

void mark_plain_frame(AVFrame& frame) {
  frame.pict_type = AV_PICTURE_TYPE_NONE;
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  frame.flags &= ~(AV_FRAME_FLAG_INTERLACED | AV_FRAME_FLAG_TOP_FIELD_FIRST | AV_FRAME_FLAG_KEY);
#else
  frame.interlaced_frame = 0;
  frame.top_field_first = 0;
  frame.key_frame = 0;
#endif
}

int channel_count(const AVCodecParameters& parameters) { return parameters.ch_layout.nb_channels; }

#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
namespace {
std::span<const AVPacketSideData> all_side_data(const AVStream& stream) {
  return {stream.codecpar->coded_side_data,
          static_cast<std::size_t>(stream.codecpar->nb_coded_side_data)};
}
}  // namespace

void add_stream_side_data(AVStream& stream, const AVPacketSideDataType type,
                          const std::span<const std::uint8_t> data) {
  AVPacketSideData* const copy =
      av_packet_side_data_new(&stream.codecpar->coded_side_data,
                              &stream.codecpar->nb_coded_side_data, type, data.size(), 0);
  if (copy == nullptr) throw std::bad_alloc();
  std::copy_n(data.data(), data.size(), copy->data);
}
#else
namespace {
std::span<const AVPacketSideData> all_side_data(const AVStream& stream) {
  return {stream.side_data, static_cast<std::size_t>(stream.nb_side_data)};
}
}  // namespace

void add_stream_side_data(AVStream& stream, const AVPacketSideDataType type,
                          const std::span<const std::uint8_t> data) {
  std::uint8_t* const copy = av_stream_new_side_data(&stream, type, data.size());
  if (copy == nullptr) throw std::bad_alloc();
  std::copy_n(data.data(), data.size(), copy);
}
#endif

std::span<const std::uint8_t> stream_side_data(const AVStream& stream,
                                               const AVPacketSideDataType type) {
  for (const AVPacketSideData& data : all_side_data(stream))
    if (data.type == type) return {data.data, data.size};
  return {};
}

void copy_stream_side_data(const AVStream& from, AVStream& to) {
  for (const AVPacketSideData& data : all_side_data(from))
    if (data.type != AV_PKT_DATA_CPB_PROPERTIES)
      add_stream_side_data(to, data.type, {data.data, data.size});
}

const std::int32_t* display_matrix(const AVStream& stream) {
  const std::span<const std::uint8_t> data = stream_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX);
  if (data.size() < 9 * sizeof(std::int32_t)) return nullptr;
  return reinterpret_cast<const std::int32_t*>(data.data());
}

double stream_rotation(const AVStream& stream) {
  const std::int32_t* const matrix = display_matrix(stream);
  return matrix != nullptr ? av_display_rotation_get(matrix) : 0.0;
}

std::optional<std::array<std::uint32_t, 4>> stream_cropping(const AVStream& stream) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 10, 100)
  std::array<std::uint32_t, 4> edges{};
  const std::span<const std::uint8_t> data = stream_side_data(stream, AV_PKT_DATA_FRAME_CROPPING);
  if (data.size() < 4 * edges.size()) return std::nullopt;
  for (std::size_t i = 0; i < 4 * edges.size(); ++i)  // little-endian
    edges[i / 4] |= std::uint32_t{data[i]} << (8 * (i % 4));
  return edges;
#else
  static_cast<void>(stream);
  return std::nullopt;
#endif
}

const AVPixelFormat* encoder_formats(const AVCodec& codec) {
#if LIBAVCODEC_VERSION_INT >= AV_VERSION_INT(61, 13, 100)
  const void* formats = nullptr;
  avcodec_get_supported_config(nullptr, &codec, AV_CODEC_CONFIG_PIX_FORMAT, 0, &formats, nullptr);
  return static_cast<const AVPixelFormat*>(formats);
#else
  return codec.pix_fmts;
#endif
}

}  // namespace streamvsr
