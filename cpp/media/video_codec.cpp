#include "media/video_codec.h"

#include <algorithm>

#include "media/codec_strength.h"

namespace streamvsr {

int decoding_threads(const AVCodecID codec, const int allowed) {
  return exports_quantisers(codec) ? 1 : std::max(1, allowed);
}

CodecPtr open_video_codec(const Input& input, const int threads, LogSink& log) {
  const std::string& path = input.path();
  const int video = input.video_index();
  if (video < 0) throw Error(ErrorKind::kInput, "'" + path + "' has no video stream", path);
  const AVCodecParameters& parameters = *input.stream(video).codecpar;
  const AVCodec* const decoder = avcodec_find_decoder(parameters.codec_id);
  if (decoder == nullptr)
    throw Error(ErrorKind::kInput,
                "'" + path + "': this FFmpeg has no decoder for the video codec '" +
                    avcodec_get_name(parameters.codec_id) + "'",
                path);
  CodecPtr codec(avcodec_alloc_context3(decoder));
  if (!codec) throw std::bad_alloc();
  check(avcodec_parameters_to_context(codec.get(), &parameters), "take the parameters of", path);
  codec->opaque = &log;
  codec->pkt_timebase = input.stream(video).time_base;
  codec->thread_count = decoding_threads(parameters.codec_id, threads);
  codec->thread_type = FF_THREAD_FRAME | FF_THREAD_SLICE;
  // Bit-exact: some inverse transforms have a quicker, different form on some processors.
  codec->flags |= AV_CODEC_FLAG_BITEXACT;
  if (exports_quantisers(parameters.codec_id))
    codec->export_side_data |= AV_CODEC_EXPORT_DATA_VIDEO_ENC_PARAMS;
  const LogSink::Scope scope(log);
  check(avcodec_open2(codec.get(), decoder, nullptr), "open the decoder of", path,
        ErrorKind::kInput, &log);
  return codec;
}

bool decodes_in_parallel(const AVCodecContext& codec) {
  constexpr int kThreaded =
      AV_CODEC_CAP_FRAME_THREADS | AV_CODEC_CAP_SLICE_THREADS | AV_CODEC_CAP_OTHER_THREADS;
  return codec.thread_count > 1 && (codec.codec->capabilities & kThreaded) != 0;
}

}  // namespace streamvsr
