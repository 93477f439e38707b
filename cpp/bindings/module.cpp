#include "bindings/bindings.h"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of streamvsr: probing, planning, and running jobs with the GIL released.";
  streamvsr::bind_errors(m);
  streamvsr::bind_media(m);
  streamvsr::bind_model(m);
  streamvsr::bind_job(m);
}
