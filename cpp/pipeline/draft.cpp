#include "pipeline/draft.h"

namespace streamvsr {

namespace {

// Clips of 352x288 to 1280x544 took 0.2 to 2.5 bits a pixel so, at 51 to 64 dB. A crf of 8 cost
// animation, encoded again at 41 dB, 0.3 dB.
constexpr double kCrf = 3.0;

}  // namespace

std::optional<EncoderSettings> Draft::settings_for(const EncoderSettings& encoder) {
  EncoderSettings settings;
  settings.codec = "h264";
  settings.crf = kCrf;
  settings.preset = "ultrafast";
  settings.threads = encoder.threads;
  settings.format = encoder.format;
  settings.width = encoder.width;
  settings.height = encoder.height;
  settings.time_base = encoder.time_base;
  settings.frame_rate = encoder.frame_rate;
  // Nothing of the colours: a decoder would give full range another name, and the encoder knows
  // them.
  try {
    if (choose_pixel_format(settings.codec, settings.format, "") != settings.format)
      return std::nullopt;
    const Encoder probe(settings);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kConfig) throw;
    return std::nullopt;
  }
  return settings;
}

Draft::Draft(const EncoderSettings& settings) {
  encoder_.emplace(settings);
  parameters_ = encoder_->parameters();
}

void Draft::add(const AVFrame& picture) {
  encoder_->send(&picture);
  receive();
}

void Draft::finish() {
  encoder_->send(nullptr);
  receive();
  encoder_.reset();
}

void Draft::receive() { bytes_ += static_cast<std::size_t>(encoder_->receive_all(packets_)); }

}  // namespace streamvsr
