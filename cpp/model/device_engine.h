// An engine on a device whose memory is limited: it runs pieces of pictures.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/engine.h"
#include "tensor/device_memory.h"

namespace streamvsr {

// A picture or a piece of one: width and height are the piece's, the planes the whole picture's.
struct PiecePicture : Picture {
  int x = 0, y = 0;                              // where it begins in the picture, source samples
  int left = 0, top = 0, right = 0, bottom = 0;  // source samples whose result is not wanted
};

// How pictures may be cut so that the pieces' results are the whole's.
struct CutRules {
  int halo = 0;         // source samples around a piece that its result depends on
  int align = 1;        // pieces begin at multiples of it
  std::string why_not;  // not empty: they may not be cut
};

// Purpose: an Engine that can be made to take less memory at a time. Thread-safety, ownership and
// determinism: as Engine; memory() from any thread.
class DeviceEngine : public Engine {
 public:
  // Runs pieces of one size and depth as one batch. Throws kMemory where the limit would be passed:
  // nothing is held then, and the engine is as good as before.
  virtual void run_pieces(std::span<const PiecePicture> pieces) = 0;
  // Found out by trying, which takes a while; throws kMemory where even that is too much.
  virtual CutRules cut_rules() = 0;
  virtual DeviceMemory memory() const = 0;
  // The most that was held since the last call.
  virtual std::size_t take_peak() = 0;
  virtual bool on_cpu() const = 0;
  // Pieces of more samples than this, all planes together, are rounded alike whatever their size
  // and number; nothing where that cannot be said.
  virtual std::optional<std::int64_t> alike_above() const = 0;
  // What else than describe() tells networks apart: by what they are made of.
  virtual std::string fingerprint() const = 0;
};

}  // namespace streamvsr
