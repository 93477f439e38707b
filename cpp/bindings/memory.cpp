// What Python sees of the memory: the plan of a job.
#include <pybind11/pybind11.h>

#include "bindings/bindings.h"
#include "pipeline/memory_plan.h"

namespace py = pybind11;

namespace streamvsr {

void bind_memory(py::module_& m) {
  py::class_<MemoryPlan>(m, "MemoryPlan", "Where the memory of a job goes: bytes, at most.")
      .def_readonly("limit", &MemoryPlan::limit, "max_memory_mb")
      .def_readonly("decoder", &MemoryPlan::decoder, "pictures and packets inside it")
      .def_readonly("encoder", &MemoryPlan::encoder, "pictures and packets inside it")
      .def_readonly("packets", &MemoryPlan::packets, "between encoder, source and file")
      .def_readonly("fixed", &MemoryPlan::fixed, "tables, stacks, what the allocator keeps")
      .def_readonly("source", &MemoryPlan::source, "pictures until they are enhanced")
      .def_readonly("enhanced", &MemoryPlan::enhanced, "pictures until the encoder took them")
      .def_readonly("workspace", &MemoryPlan::workspace, "of the network, beside the limit")
      .def_readonly("change", &MemoryPlan::change,
                    "what was lowered to stay within it; '': nothing")
      .def_property_readonly("used", &MemoryPlan::used, "all but the workspace");
}

}  // namespace streamvsr
