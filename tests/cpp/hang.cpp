#include "hang.h"

#include <execinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <string>

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
  std::signal(SIGUSR2, write_stack);
  std::fprintf(stderr, "the suite hangs; the stacks of its threads:\n");
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    const int id = std::stoi(task.path().filename());
    std::fprintf(stderr, "thread %d\n", id);
    syscall(SYS_tgkill, getpid(), id, SIGUSR2);
    std::this_thread::sleep_for(kBetweenStacks);
  }
}

}  // namespace

std::jthread watch_for_hang() {
  return std::jthread([](const std::stop_token& ended) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait_for(lock, ended, std::chrono::seconds(seconds()), [] { return false; });
    if (!ended.stop_requested()) write_stacks();
  });
}

}  // namespace streamvsr
