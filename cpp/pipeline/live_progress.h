// How far a running job is, for other processes of the same user on this machine.
#pragma once

#include <cstdint>
#include <optional>

#include "base/file.h"

namespace streamvsr {

// What another process may know of a running job.
struct LiveState {
  std::int64_t frames_done = 0;     // enhanced, by this run and earlier ones
  std::int64_t frames_written = 0;  // of them, encoded
  std::int64_t frames_total = 0;    // estimate
  std::int64_t resumed_frames = 0;  // of frames_done, by earlier runs
  std::int64_t segments_done = 0;
  bool finishing = false;  // the network has done all frames
  double seconds = 0.0;    // since the run began

  bool operator==(const LiveState&) const = default;
};

// Note [live progress]: a run keeps its state in a page of anonymous shared memory (memfd_create)
// that no folder shows. `status` takes the process that holds the lock on the `.part`, by the
// kernel's list, and looks for the page among its open files (/proc/PID/fd). So the page is gone
// with its process, however that dies; the kernel lets only the same user (or root) open it; on
// another machine, or in another container, there is no such process, or it has no such page. The
// page names the `.part` by device and inode, which a process that took over a number, or that
// writes several outputs, does not match. What is read is checked (size, magic, checksum, ranges)
// and never used but to be shown. Without a page, status has the checkpoint alone.

// Purpose: the page of one run. Thread-safety: none. Ownership: owns the page.
class LivePage {
 public:
  // part: the file that the run has locked. Where the system has no such pages, publish() does
  // nothing.
  explicit LivePage(const File& part);
  ~LivePage();
  LivePage(const LivePage&) = delete;
  LivePage& operator=(const LivePage&) = delete;

  void publish(const LiveState& state);

 private:
  int descriptor_ = -1;
  void* page_ = nullptr;
  std::uint64_t device_ = 0, inode_ = 0;
};

// The state that a process publishes about a `.part`; nothing where there is none that can be read.
std::optional<LiveState> read_live_state(int process, const File& part);

}  // namespace streamvsr
