// zimg's handles and errors; the one place that includes it.
#pragma once

#include <zimg.h>

#include <memory>

namespace streamvsr {

struct FreeZimgGraph {
  void operator()(zimg_filter_graph* graph) const { zimg_filter_graph_free(graph); }
};
using ZimgGraph = std::unique_ptr<zimg_filter_graph, FreeZimgGraph>;

// Throws kInternal with zimg's last words.
[[noreturn]] void throw_zimg(const char* doing);

}  // namespace streamvsr
