#include "media/kept.h"

extern "C" {
#include <libavutil/parseutils.h>
}

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "media/tags.h"

namespace streamvsr {

namespace {

using Tags = std::map<std::string, std::string>;

// A file in memory.
class Memory {
 public:
  explicit Memory(const std::span<const std::uint8_t> data) : data_(data) {
    constexpr int kBuffer = 4096;
    auto* const buffer = static_cast<std::uint8_t*>(av_malloc(kBuffer));
    if (buffer != nullptr)
      io_ = avio_alloc_context(buffer, kBuffer, 0, this, &Memory::read, nullptr, &Memory::seek);
    if (io_ == nullptr) {
      av_free(buffer);
      throw std::bad_alloc();
    }
  }
  ~Memory() {
    av_freep(&io_->buffer);
    avio_context_free(&io_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  AVIOContext* io() const { return io_; }

 private:
  static int read(void* const opaque, std::uint8_t* const to, const int size) {
    auto& self = *static_cast<Memory*>(opaque);
    const std::size_t count =
        std::min(static_cast<std::size_t>(size), self.data_.size() - self.at_);
    if (count == 0) return AVERROR_EOF;
    std::copy_n(self.data_.data() + self.at_, count, to);
    self.at_ += count;
    return static_cast<int>(count);
  }
  static std::int64_t seek(void* const opaque, const std::int64_t offset, const int whence) {
    auto& self = *static_cast<Memory*>(opaque);
    const auto size = static_cast<std::int64_t>(self.data_.size());
    if (whence == AVSEEK_SIZE) return size;
    const std::int64_t from = whence == SEEK_CUR   ? static_cast<std::int64_t>(self.at_)
                              : whence == SEEK_END ? size
                                                   : 0;
    if (from + offset < 0 || from + offset > size) return AVERROR(EINVAL);
    self.at_ = static_cast<std::size_t>(from + offset);
    return from + offset;
  }

  std::span<const std::uint8_t> data_;
  std::size_t at_ = 0;
  AVIOContext* io_ = nullptr;
};

// What was read back.
struct Description {
  Tags tags;
  std::vector<std::int32_t> matrix;  // of the picture; empty without one
};

struct FreeBytes {
  void operator()(std::uint8_t* const bytes) const { av_free(bytes); }
};

// Writes a film of one packet with the source's tags and reads it back. Its codec is one that needs
// no header, for no tag depends on it.
Description write_and_read(const Input& input, const PlannedStream& video,
                           const Container container, const TagForm form) {
  LogSink log;
  const LogSink::Scope scope(log);
  const ParametersPtr plain(avcodec_parameters_alloc());
  AVFormatContext* made = nullptr;
  if (!plain || avformat_alloc_output_context2(&made, nullptr, muxer_name(container), nullptr) < 0)
    throw std::bad_alloc();
  const MuxerPtr muxer(made);
  muxer->opaque = &log;
  muxer->flags |= AVFMT_FLAG_BITEXACT;
  plain->codec_type = AVMEDIA_TYPE_VIDEO;
  plain->codec_id = AV_CODEC_ID_MPEG4;
  plain->width = plain->height = 16;
  PlannedStream alone = video;
  alone.output = 0;
  add_stream(*muxer, input, alone, container, *plain);
  muxer->streams[0]->time_base = {1, 25};
  copy_metadata(input, *muxer);
  if (avio_open_dyn_buf(&muxer->pb) < 0) throw std::bad_alloc();
  Dictionary options;
  set_tag_form(options, form);
  const auto write = [&] {
    if (const int header = avformat_write_header(muxer.get(), options.raw()); header < 0)
      return header;
    const PacketPtr packet = make_packet();
    if (av_new_packet(packet.get(), 4) < 0) throw std::bad_alloc();
    std::fill_n(packet->data, 4, std::uint8_t{0});
    packet->pts = packet->dts = 0;
    packet->duration = 1;
    packet->flags |= AV_PKT_FLAG_KEY;
    if (const int written = av_write_frame(muxer.get(), packet.get()); written < 0) return written;
    return av_write_trailer(muxer.get());
  };
  const int result = write();
  std::uint8_t* bytes = nullptr;
  const int size = avio_close_dyn_buf(muxer->pb, &bytes);
  muxer->pb = nullptr;
  const std::unique_ptr<std::uint8_t, FreeBytes> owned(bytes);
  check(result, "write the tags of", input.path(), ErrorKind::kInternal, &log);

  Memory file({bytes, static_cast<std::size_t>(size)});
  AVFormatContext* opened = avformat_alloc_context();
  if (opened == nullptr) throw std::bad_alloc();
  opened->pb = file.io();
  opened->opaque = &log;
  check(avformat_open_input(&opened, nullptr,
                            av_find_input_format(container == Container::kMkv ? "matroska" : "mov"),
                            nullptr),
        "read back the tags of", input.path(), ErrorKind::kInternal, &log);
  const InputPtr back(opened);
  Description description;
  for (const auto& [key, value] : to_map(back->metadata))
    description.tags[plain_tag_name(key)] = value;
  if (back->nb_streams > 0)
    if (const std::int32_t* const matrix = display_matrix(*back->streams[0]); matrix != nullptr)
      description.matrix.assign(matrix, matrix + 9);
  return description;
}

std::vector<double> numbers_in(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end && numbers.size() < 3) {
    if (*at == '+') ++at;
    double value = 0.0;
    const auto [behind, error] = std::from_chars(at, end, value);
    if (error != std::errc()) break;
    numbers.push_back(value);
    at = behind;
  }
  return numbers;
}

// Whether a tag says the same in the container's own form: a whole number, a time to the second, a
// place on Earth to about 10 m.
bool says_the_same(const std::string& key, const std::string& before, const std::string& after) {
  if (before == after) return true;
  if (key == "creation_time") {
    std::int64_t a = 0;
    std::int64_t b = 0;
    return av_parse_time(&a, before.c_str(), 0) >= 0 && av_parse_time(&b, after.c_str(), 0) >= 0 &&
           std::abs(a - b) < AV_TIME_BASE;
  }
  constexpr double kPlace = 1e-4;  // degrees
  const std::vector<double> a = numbers_in(before);
  std::vector<double> b = numbers_in(after);
  if (key == "location") {
    b.resize(std::max(a.size(), b.size()), 0.0);  // an altitude of 0 is not written
    return a.size() >= 2 && a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(),
                      [](double x, double y) { return std::abs(x - y) < kPlace; });
  }
  int x = 0;
  int y = 0;
  const auto whole = [](const std::string& text, int& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  return whole(before, x) && whole(after, y) && x == y;
}

struct Losses {
  std::vector<std::string> lost;
  std::vector<std::string> changed;
  std::size_t count() const { return lost.size() + changed.size(); }
};

Losses losses(const Input& input, const Tags& kept) {
  Losses result;
  for (const auto& [key, value] : to_map(input.format().metadata)) {
    if (is_stale_tag(key) || is_brand(key) || value.empty()) continue;
    const std::string name = plain_tag_name(key);
    const auto found = kept.find(name);
    if (found == kept.end())
      result.lost.push_back(key);
    else if (!says_the_same(name, value, found->second))
      result.changed.push_back(key);
  }
  return result;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// Whether iTunes' list, which is what players of MP4 know, would hold a tag of the source.
bool has_usual_tag(const Tags& kept) {
  return std::any_of(kept.begin(), kept.end(), [](const auto& tag) {
    return !is_brand(tag.first) && tag.first != "creation_time" && tag.first != "location" &&
           tag.first.rfind("location-", 0) != 0;
  });
}

// Widths and heights of a matrix's picture differ from the coded ones by these factors.
bool stretches(const std::int32_t* const m) {
  constexpr double kTolerance = 0.01;
  const double across = std::hypot(m[0], m[1]);
  const double down = std::hypot(m[3], m[4]);
  return across > 0.0 && down > 0.0 && std::abs(across / down - 1.0) > kTolerance;
}

bool same_matrix(const std::int32_t* const a, const std::vector<std::int32_t>& b) {
  constexpr std::int32_t kTolerance = 65536 / 100;
  const std::array<std::int32_t, 9> none = {65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30};
  const std::int32_t* const other = b.empty() ? none.data() : b.data();
  for (const std::size_t i : {0U, 1U, 3U, 4U})
    if (std::abs(std::int64_t{a[i]} - other[i]) > kTolerance) return false;
  return true;
}

std::string matrix_warning(const AVStream& stream, const PlannedStream& video,
                           const Container container, const std::vector<std::int32_t>& kept) {
  const std::int32_t* const matrix = display_matrix(stream);
  if (matrix == nullptr) return "";
  const std::string stretch =
      "the display matrix of the picture stretches it, which cannot be written to " +
      std::string(container_name(container)) + " by this FFmpeg: it is left out; ";
  if (video.upright)
    return stretches(matrix) ? "the display matrix of the picture also stretches it; turning the "
                               "pictures loses that: keep the rotation in mp4 or mov instead"
                             : "";
  if (same_matrix(matrix, kept)) return "";
  if (stretches(matrix)) return stretch + "choose mp4 or mov to keep it";
  return "the rotation of the picture cannot be written to " +
         std::string(container_name(container)) +
         " by this FFmpeg: choose mp4 or mov to keep it, or have it applied (rotation=\"apply\")";
}

}  // namespace

KeptDescription find_kept(const Input& input, const PlannedStream& video,
                          const Container container) {
  KeptDescription kept;
  const Description usual = write_and_read(input, video, container, TagForm::kUsual);
  Losses found = losses(input, usual.tags);
  // MP4's players know iTunes' list alone, which the other form replaces.
  if (found.count() > 0 && (container == Container::kMov ||
                            (container == Container::kMp4 && !has_usual_tag(usual.tags)))) {
    const Description keys = write_and_read(input, video, container, TagForm::kKeys);
    Losses fewer = losses(input, keys.tags);
    if (fewer.count() < found.count()) {
      kept.tags = TagForm::kKeys;
      found = std::move(fewer);
    }
  }
  const std::string where = container_name(container);
  const std::string advice = container == Container::kMkv ? "" : "; mkv holds them";
  if (!found.lost.empty())
    kept.warnings.push_back("the tags " + listed(found.lost) + " cannot be held by " + where +
                            ": left out" + advice);
  if (!found.changed.empty())
    kept.warnings.push_back("the tags " + listed(found.changed) + " do not fit into " + where +
                            " as they are: cut or changed" + advice);
  if (std::string warning =
          matrix_warning(input.stream(video.input), video, container, usual.matrix);
      !warning.empty())
    kept.warnings.push_back(std::move(warning));
  return kept;
}

}  // namespace streamvsr
