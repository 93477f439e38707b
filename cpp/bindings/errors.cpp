// Error -> the class of streamvsr.errors with its name.
#include "base/error.h"
#include "bindings/bindings.h"

namespace py = pybind11;

namespace streamvsr {

namespace {

const char* class_name(const ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNotFound:
      return "InputNotFoundError";
    case ErrorKind::kInput:
      return "InputError";
    case ErrorKind::kDamaged:
      return "DamagedInputError";
    case ErrorKind::kConfig:
      return "ConfigError";
    case ErrorKind::kOutputExists:
      return "OutputExistsError";
    case ErrorKind::kIo:
      return "OutputError";
    case ErrorKind::kBusy:
      return "OutputBusyError";
    case ErrorKind::kResume:
      return "ResumeError";
    case ErrorKind::kMemory:
      return "MemoryLimitError";
    case ErrorKind::kModel:
      return "ModelError";
    case ErrorKind::kStopped:
      return "StoppedError";
    case ErrorKind::kInternal:
      return "InternalError";
  }
  return "InternalError";
}

}  // namespace

void bind_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const Error& error) {
      const py::object type =
          py::module_::import("streamvsr.errors").attr(class_name(error.kind()));
      const py::object value = type(from_path(error.what()), from_path(error.path()), error.code());
      PyErr_SetObject(type.ptr(), value.ptr());
    }
  });
}

}  // namespace streamvsr
