// zimg's handles and errors; the one place that includes it.
#pragma once

#include <zimg.h>

#include <cstddef>
#include <memory>

namespace streamvsr {

// zimg wants rows of 32 bytes, AVX-512 loads are happiest on 64.
constexpr std::size_t kRowAlign = 64;
constexpr std::size_t align_up(const std::size_t n) {
  return (n + kRowAlign - 1) / kRowAlign * kRowAlign;
}

struct FreeZimgGraph {
  void operator()(zimg_filter_graph* graph) const { zimg_filter_graph_free(graph); }
};
using ZimgGraph = std::unique_ptr<zimg_filter_graph, FreeZimgGraph>;

// Throws kInternal with zimg's last words.
[[noreturn]] void throw_zimg(const char* doing);

}  // namespace streamvsr
