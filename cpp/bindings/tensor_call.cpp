#include "bindings/tensor_call.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace py = pybind11;

namespace streamvsr {

namespace {

constexpr const char* kCapsule = "dltensor";
constexpr const char* kConsumed = "used_dltensor";

void tell(const std::string_view text, char* const why, const std::uint64_t bytes) {
  const std::size_t count = std::min<std::size_t>(text.find('\n'), text.size());
  const std::size_t kept = std::min<std::size_t>(count, bytes - 1);
  std::memcpy(why, text.data(), kept);
  why[kept] = '\0';
}

int call(void* const user, void* const input, void** const output, char* const why,
         const std::uint64_t why_bytes) {
  const py::gil_scoped_acquire gil;
  try {
    const auto given = py::reinterpret_steal<py::object>(PyCapsule_New(input, kCapsule, nullptr));
    if (!given) throw py::error_already_set();
    const py::object result = (*static_cast<py::object*>(user))(given);
    *output = PyCapsule_GetPointer(result.ptr(), kCapsule);
    if (*output == nullptr || PyCapsule_SetName(result.ptr(), kConsumed) != 0)
      throw py::error_already_set();
    return 0;
  } catch (const std::exception& error) {
    tell(error.what(), why, why_bytes);
    return 1;
  }
}

}  // namespace

TensorCall python_call(const py::object& function) {
  const auto drop = [](py::object* const held) {
    const py::gil_scoped_acquire gil;
    std::default_delete<py::object>{}(held);
  };
  return {call,
          std::shared_ptr<py::object>(std::make_unique<py::object>(function).release(), drop)};
}

}  // namespace streamvsr
