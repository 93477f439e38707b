#include "media/adts.h"

#include <new>

namespace streamvsr {

AdtsFilter::AdtsFilter(const AVStream& stream) {
  const AVBitStreamFilter* const filter = av_bsf_get_by_name("aac_adtstoasc");
  AVBSFContext* context = nullptr;
  if (filter == nullptr || av_bsf_alloc(filter, &context) < 0) throw std::bad_alloc();
  filter_.reset(context);
  if (avcodec_parameters_copy(context->par_in, stream.codecpar) < 0) throw std::bad_alloc();
  context->time_base_in = stream.time_base;
  check(av_bsf_init(context), "set up the filter of", "AAC");
}

bool AdtsFilter::run(AVPacket& packet) {
  const LogSink::Scope scope(quiet_);
  if (av_bsf_send_packet(filter_.get(), &packet) < 0 ||
      av_bsf_receive_packet(filter_.get(), &packet) < 0)
    return false;
  // The first packet after a resume has the header as side data, too, which a muxer would write
  // into its own header again.
  av_packet_shrink_side_data(&packet, AV_PKT_DATA_NEW_EXTRADATA, 0);
  return true;
}

}  // namespace streamvsr
