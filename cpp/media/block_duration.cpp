#include "media/block_duration.h"

#include <algorithm>
#include <array>

#include "media/ebml.h"
#include "media/matroska_index.h"

namespace streamvsr {

namespace {

using ebml::Bytes;
using ebml::Element;

enum Id : std::uint32_t {
  kBlockGroup = 0xA0,
  kBlockAdditions = 0x75A1,
  kBlockMore = 0xA6,
  kBlockAddId = 0xEE,
  kBlockAdditional = 0xA5,
  kBlockDuration = 0x9B,
};

constexpr std::array<std::uint8_t, 8> kText = {'d', 'u', 'r', 'a', 't', 'i', 'o', 'n'};
constexpr std::uint64_t kOpaque = 1;  // BlockAddID that needs no mapping

Bytes placeholder() {
  Bytes more, additions, all;
  ebml::put_uint(more, kBlockAddId, kOpaque);
  ebml::put_element(more, kBlockAdditional, kText);
  ebml::put_element(additions, kBlockMore, more);
  ebml::put_element(all, kBlockAdditions, additions);
  return all;
}

}  // namespace

void reserve_block_duration(AVPacket& packet) {
  constexpr std::size_t kNumber = 8;  // of the BlockAddID, big-endian
  std::uint8_t* const data = av_packet_new_side_data(&packet, AV_PKT_DATA_MATROSKA_BLOCKADDITIONAL,
                                                     kNumber + kText.size());
  if (data == nullptr) throw std::bad_alloc();
  std::fill_n(data, kNumber, std::uint8_t{0});
  data[kNumber - 1] = kOpaque;
  std::ranges::copy(kText, data + kNumber);
}

bool write_block_duration(File& file, const std::int64_t begin, const std::int64_t end,
                          const std::int64_t ms) {
  const Bytes reserved = placeholder();
  ebml::Reader reader(file);
  for (std::int64_t at = begin; at < end;) {
    const Element cluster = reader.element(at, end);
    at = cluster.end;
    if (cluster.id != kMatroskaCluster) continue;
    for (std::int64_t in = cluster.payload; in < cluster.end;) {
      const Element group = reader.element(in, cluster.end);
      in = group.end;
      if (group.id != kBlockGroup) continue;
      for (std::int64_t place = group.payload; place < group.end;) {
        const Element e = reader.element(place, group.end);
        place = e.end;
        if (e.id != kBlockAdditions ||
            !std::ranges::equal(reader.bytes(e.at, static_cast<std::size_t>(e.end - e.at)),
                                reserved))
          continue;
        Bytes content(static_cast<std::size_t>(cluster.end - cluster.payload));
        if (file.read_at(content, cluster.payload) != content.size())
          reader.misfit(cluster.at, "the end comes too early");
        Bytes duration;
        ebml::put_uint(duration, kBlockDuration, static_cast<std::uint64_t>(ms));
        ebml::put_void(duration, reserved.size() - duration.size());
        std::ranges::copy(duration, content.begin() + (e.at - cluster.payload));
        file.write_at(duration, e.at);
        if (reader.element(cluster.payload, cluster.end).id == ebml::kCrc32) {
          Bytes checksum;
          ebml::put_crc32(checksum, std::span(content).subspan(ebml::kCrc32Element));
          file.write_at(checksum, cluster.payload);
        }
        return true;
      }
    }
  }
  return false;
}

}  // namespace streamvsr
