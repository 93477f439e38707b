#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "media/input.h"

namespace py = pybind11;

namespace streamvsr {

void bind_media(py::module_& m) {
  py::class_<StreamInfo>(m, "StreamInfo", "One stream of a file; see probe().")
      .def_readonly("index", &StreamInfo::index)
      .def_readonly("type", &StreamInfo::type, "video, audio, subtitle, data or attachment")
      .def_readonly("codec", &StreamInfo::codec)
      .def_readonly("profile", &StreamInfo::profile)
      .def_readonly("width", &StreamInfo::width,
                    "samples, before the container's cropping and rotation; 0 without pictures")
      .def_readonly("height", &StreamInfo::height)
      .def_readonly("sample_aspect_ratio", &StreamInfo::sample_aspect_ratio,
                    "such as '128:117'; '' unknown")
      .def_readonly("pixel_format", &StreamInfo::pixel_format)
      .def_readonly("frame_rate", &StreamInfo::frame_rate, "mean, 1/s; 0 unknown")
      .def_readonly("frames", &StreamInfo::frames, "as the container says; -1 unknown")
      .def_readonly("duration", &StreamInfo::duration, "s; -1 unknown")
      .def_readonly("start_time", &StreamInfo::start_time, "s")
      .def_readonly("bit_rate", &StreamInfo::bit_rate, "bit/s; 0 unknown")
      .def_readonly("sample_rate", &StreamInfo::sample_rate, "Hz; 0 without sound")
      .def_readonly("channels", &StreamInfo::channels)
      .def_readonly("language", &StreamInfo::language)
      .def_readonly("title", &StreamInfo::title)
      .def_readonly("disposition", &StreamInfo::disposition)
      .def_readonly("color_range", &StreamInfo::color_range,
                    "'' where the file does not say; so the next four")
      .def_readonly("color_space", &StreamInfo::color_space)
      .def_readonly("color_transfer", &StreamInfo::color_transfer)
      .def_readonly("color_primaries", &StreamInfo::color_primaries)
      .def_readonly("chroma_location", &StreamInfo::chroma_location)
      .def_readonly("rotation", &StreamInfo::rotation, "degrees counter-clockwise")
      .def_readonly("field_order", &StreamInfo::field_order)
      .def_readonly("attached_picture", &StreamInfo::attached_picture, "a cover, no moving picture")
      .def_readonly("metadata", &StreamInfo::metadata);
  py::class_<ChapterInfo>(m, "ChapterInfo", "One chapter of a file.")
      .def_readonly("start", &ChapterInfo::start, "s")
      .def_readonly("end", &ChapterInfo::end, "s")
      .def_readonly("title", &ChapterInfo::title);
  py::class_<MediaInfo>(m, "MediaInfo", "What a file holds.")
      .def_property_readonly("path", [](const MediaInfo& i) { return from_path(i.path); })
      .def_readonly("format", &MediaInfo::format)
      .def_readonly("duration", &MediaInfo::duration, "s; -1 unknown")
      .def_readonly("start_time", &MediaInfo::start_time, "s")
      .def_readonly("bit_rate", &MediaInfo::bit_rate, "bit/s; 0 unknown")
      .def_readonly("size_bytes", &MediaInfo::size_bytes)
      .def_readonly("metadata", &MediaInfo::metadata)
      .def_readonly("chapters", &MediaInfo::chapters)
      .def_readonly("streams", &MediaInfo::streams)
      .def_readonly("video_index", &MediaInfo::video_index,
                    "the stream that would be enhanced; -1 without one");
  m.def(
      "probe",
      [](const py::object& path) {
        const std::string name = to_path(path);
        const py::gil_scoped_release release;
        return probe(name);
      },
      py::arg("path"), "What a file holds. Raises InputNotFoundError or InputError.");
}

}  // namespace streamvsr
