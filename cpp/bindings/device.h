// The torch engine as Python holds it.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "enhance/tiled_engine.h"
#include "model/torch_engine.h"

namespace streamvsr {

// Purpose: the torch engine under its budget. Thread-safety: run() by one thread at a time.
struct PyTorchEngine {
  PyTorchEngine(const TorchOptions& options, TiledOptions tiled) {
    auto made = std::make_unique<TorchEngine>(options);
    torch = made.get();
    engine = std::make_unique<TiledEngine>(std::move(made), std::move(tiled));
  }
  ~PyTorchEngine() { close(); }
  PyTorchEngine(const PyTorchEngine&) = delete;
  PyTorchEngine& operator=(const PyTorchEngine&) = delete;

  void close() {
    const pybind11::gil_scoped_release release;
    engine.reset();
  }

  TorchEngine* torch = nullptr;  // engine's
  std::unique_ptr<TiledEngine> engine;
};

}  // namespace streamvsr
