// Frames by number, within a limit of bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/memory_gate.h"

namespace streamvsr {

// Purpose: keeps frames that a gate admits until they are released; the gate is the one that the
// stream's own frames pass. Thread-safety: every call may come from any thread. Ownership: keeps
// what is added, hands out copies of Frame (a handle).
template <class Frame>
class FrameBuffer {
 public:
  // limit: the most bytes of frames kept at once.
  explicit FrameBuffer(std::size_t limit) : gate_(limit) {}

  // Keeps a frame of so many bytes; waits for room, up to a time. False, and the frame stays the
  // caller's, where there is none. Throws kConfig where the number is taken.
  template <class Duration>
  bool add(std::int64_t id, Frame& frame, std::size_t bytes, Duration wait) {
    refuse_taken(id);
    std::optional<MemoryGate::Admission> memory = gate_.admit_within(bytes, wait);
    if (!memory) return false;
    {
      const Lock lock(mutex_);
      const auto [place, added] = frames_.try_emplace(id);
      if (added) {
        place->second = {std::move(*memory), std::move(frame)};
        return true;
      }
    }
    refuse_taken(id);
    return false;
  }

  std::optional<Frame> get(std::int64_t id) const {
    const Lock lock(mutex_);
    const auto it = frames_.find(id);
    if (it == frames_.end()) return std::nullopt;
    return it->second.frame;
  }

  // False where there is no such frame.
  bool release(std::int64_t id) {
    Entry released;  // goes when nothing is locked: freeing may take a while
    const Lock lock(mutex_);
    const auto it = frames_.find(id);
    if (it == frames_.end()) return false;
    released = std::move(it->second);
    frames_.erase(it);
    return true;
  }

  std::size_t size() const {
    const Lock lock(mutex_);
    return frames_.size();
  }
  const MemoryGate& gate() const { return gate_; }

 private:
  struct Entry {
    MemoryGate::Admission memory;  // given back when the frame is gone: members go last first
    Frame frame{};
  };
  void refuse_taken(std::int64_t id) const {
    const Lock lock(mutex_);
    if (frames_.count(id) > 0)
      throw Error(ErrorKind::kConfig,
                  "frame " + std::to_string(id) + " is in the buffer; release it first");
  }

  MemoryGate gate_;
  mutable Mutex mutex_;
  std::map<std::int64_t, Entry> frames_ GUARDED_BY(mutex_);
};

}  // namespace streamvsr
