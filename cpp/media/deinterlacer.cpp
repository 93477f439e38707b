#include "media/deinterlacer.h"

#include <dlfcn.h>

#include <string>
#include <utility>

extern "C" {
#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
}

namespace streamvsr {

namespace {

// FFmpeg's filters, of the version that this was built for.
struct Filters {
  decltype(&avfilter_graph_alloc) graph_alloc;
  decltype(&avfilter_graph_free) graph_free;
  decltype(&avfilter_graph_create_filter) create;
  decltype(&avfilter_graph_config) config;
  decltype(&avfilter_get_by_name) by_name;
  decltype(&avfilter_link) link;
  decltype(&av_buffersrc_add_frame_flags) add_frame;
  decltype(&av_buffersink_get_frame) get_frame;
};

const Filters& filters() {
  static const Filters loaded = [] {
    const std::string name = "libavfilter.so." + std::to_string(LIBAVFILTER_VERSION_MAJOR);
    void* const library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    const auto need = [&](auto& function, const char* const symbol) {
      void* const found = library != nullptr ? ::dlsym(library, symbol) : nullptr;
      if (found == nullptr)
        throw Error(ErrorKind::kConfig,
                    "the source is interlaced, and FFmpeg's filters (" + name +
                        ") cannot be loaded: install them, or set interlaced to \"keep\"");
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(found);
    };
    Filters f{};
    need(f.graph_alloc, "avfilter_graph_alloc");
    need(f.graph_free, "avfilter_graph_free");
    need(f.create, "avfilter_graph_create_filter");
    need(f.config, "avfilter_graph_config");
    need(f.by_name, "avfilter_get_by_name");
    need(f.link, "avfilter_link");
    need(f.add_frame, "av_buffersrc_add_frame_flags");
    need(f.get_frame, "av_buffersink_get_frame");
    return f;
  }();
  return loaded;
}

}  // namespace

struct Deinterlacer::Graph {
  Graph() : graph(filters().graph_alloc()) {
    if (graph == nullptr) throw std::bad_alloc();
  }
  ~Graph() { filters().graph_free(&graph); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  AVFilterContext* add(const char* const filter, const std::string& arguments) {
    AVFilterContext* context = nullptr;
    check(filters().create(&context, filters().by_name(filter), filter, arguments.c_str(), nullptr,
                           graph),
          "make the filter", filter, ErrorKind::kInternal);
    return context;
  }

  AVFilterGraph* graph;
  AVFilterContext* source = nullptr;
  AVFilterContext* sink = nullptr;
};

Deinterlacer::Deinterlacer(const AVFrame& like, const int threads)
    : graph_(std::make_unique<Graph>()),
      width_(like.width),
      height_(like.height),
      format_(like.format) {
  Graph& g = *graph_;
  g.graph->nb_threads = threads;
  g.source =
      g.add("buffer", "width=" + std::to_string(width_) + ":height=" + std::to_string(height_) +
                          ":pix_fmt=" + std::to_string(format_) + ":time_base=1/1000");
  AVFilterContext* const filter = g.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced");
  g.sink = g.add("buffersink", "");
  check(filters().link(g.source, 0, filter, 0), "link", "bwdif", ErrorKind::kInternal);
  check(filters().link(filter, 0, g.sink, 0), "link", "bwdif", ErrorKind::kInternal);
  check(filters().config(g.graph, nullptr), "set up", "bwdif", ErrorKind::kInternal);
}

Deinterlacer::~Deinterlacer() = default;

bool Deinterlacer::takes(const AVFrame& frame) const {
  return frame.width == width_ && frame.height == height_ && frame.format == format_;
}

void Deinterlacer::push(FramePtr frame) {
  if (frame) {
    times_.push_back({frame->pts, frame_duration(*frame)});
    frame->pts = AV_NOPTS_VALUE;
    // What is deinterlaced has no fields left to show again.
    if (frame_is_interlaced(*frame)) frame->repeat_pict = 0;
  }
  const int result = filters().add_frame(graph_->source, frame.get(), 0);
  if (result == AVERROR(ENOMEM)) throw std::bad_alloc();
  check(result, "deinterlace with", "bwdif", ErrorKind::kInternal);
}

FramePtr Deinterlacer::pull() {
  FramePtr frame = make_frame();
  const int result = filters().get_frame(graph_->sink, frame.get());
  if (result == AVERROR_EOF && !times_.empty())
    throw Error(ErrorKind::kInternal, "deinterlacing lost pictures");
  if (result == AVERROR(EAGAIN) || result == AVERROR_EOF) return nullptr;
  if (result == AVERROR(ENOMEM)) throw std::bad_alloc();
  check(result, "deinterlace with", "bwdif", ErrorKind::kInternal);
  if (times_.empty())
    throw Error(ErrorKind::kInternal, "deinterlacing gave more pictures than there were frames");
  frame->pts = times_.front().pts;
  set_frame_duration(*frame, times_.front().duration);
  times_.pop_front();
  return frame;
}

}  // namespace streamvsr
