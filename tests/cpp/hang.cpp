#include "hang.h"

#include <dirent.h>
#include <execinfo.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace streamvsr {

namespace {

// Below ctest's limit in CMakeLists.txt.
constexpr int kSeconds = 300;
constexpr auto kBetweenStacks = std::chrono::milliseconds(200);

int seconds() {
  const char* const other = std::getenv("STREAMVSR_HANG_SECONDS");
  return other != nullptr ? std::atoi(other) : kSeconds;
}

// Not for signal handlers in general; the process is lost by then.
void write_stack(int) {
  void* frames[64];
  backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
}

void write_stacks() {
  signal(SIGUSR2, write_stack);
  DIR* const tasks = opendir("/proc/self/task");
  if (tasks == nullptr) return;
  std::fprintf(stderr, "the suite hangs; the stacks of its threads:\n");
  while (const dirent* const entry = readdir(tasks)) {
    const int id = std::atoi(entry->d_name);
    if (id <= 0) continue;
    std::fprintf(stderr, "thread %d\n", id);
    syscall(SYS_tgkill, getpid(), id, SIGUSR2);
    std::this_thread::sleep_for(kBetweenStacks);
  }
  closedir(tasks);
}

}  // namespace

HangWatch::HangWatch() {
  thread_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, std::chrono::seconds(seconds()), [this] { return done_; }))
      write_stacks();
  });
}

HangWatch::~HangWatch() {
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

}  // namespace streamvsr
