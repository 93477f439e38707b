#include "model/thread_pool.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace streamvsr {
namespace {

using Tasks = std::vector<ThreadPool::Task>;

TEST_CASE("every task runs once, on a worker of the pool") {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    std::vector<std::atomic<int>> runs(100);
    std::atomic<bool> strange{false};
    Tasks tasks;
    for (auto& count : runs) {
      tasks.push_back([&](const int worker) {
        ++count;
        if (worker < 0 || worker >= threads) strange = true;
      });
    }
    for (int round = 1; round <= 3; ++round) {
      pool.run(tasks);
      for (const auto& count : runs) CHECK(count == round);
    }
    CHECK_FALSE(strange);
  }
}

TEST_CASE("no task runs on the caller's thread") {
  ThreadPool pool(1);
  std::thread::id id;
  const ThreadPool::Task task = [&](int) { id = std::this_thread::get_id(); };
  pool.run(std::span(&task, 1));
  CHECK(id != std::this_thread::get_id());
}

TEST_CASE("no tasks is no work") {
  ThreadPool pool(2);
  pool.run({});
}

TEST_CASE("two tasks run at the same time") {
  ThreadPool pool(2);
  std::atomic<int> inside{0};
  Tasks tasks(2, [&](int) {
    ++inside;
    while (inside < 2) std::this_thread::yield();  // hangs where tasks take turns
  });
  pool.run(tasks);
  CHECK(inside == 2);
}

TEST_CASE("tasks may run on every processor their creator may") {
  cpu_set_t mine;
  REQUIRE(sched_getaffinity(0, sizeof mine, &mine) == 0);
  ThreadPool pool(4);
  std::atomic<int> equal{0};
  const Tasks tasks(200, [&](int) {
    cpu_set_t theirs;
    sched_getaffinity(0, sizeof theirs, &theirs);
    equal += CPU_EQUAL(&mine, &theirs) ? 1 : 0;
  });
  pool.run(tasks);
  CHECK(equal == 200);
}

TEST_CASE("the first failure stops the rest and is rethrown once") {
  ThreadPool pool(1);
  int ran = 0;
  Tasks tasks;
  tasks.push_back([&](int) { ++ran; });
  tasks.push_back([](int) { throw std::runtime_error("first"); });
  tasks.push_back([&](int) { ++ran; });
  CHECK_THROWS_WITH_AS(pool.run(tasks), "first", std::runtime_error);
  CHECK(ran == 1);
  tasks.erase(tasks.begin() + 1);
  pool.run(tasks);
  CHECK(ran == 3);
}

#if defined(__x86_64__)
TEST_CASE("workers compute with denormals, whatever the creator's mode") {
  const unsigned before = _mm_getcsr();
  _mm_setcsr(before | 0x8040U);  // flush to zero, denormals are zero
  ThreadPool pool(1);
  unsigned inside = 0;
  const ThreadPool::Task task = [&](int) { inside = _mm_getcsr(); };
  pool.run(std::span(&task, 1));
  _mm_setcsr(before);
  CHECK((inside & 0x8040U) == 0);
}
#endif

}  // namespace
}  // namespace streamvsr
