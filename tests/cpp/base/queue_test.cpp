// Every rule of base/queue.h, with threads where a rule is about threads.
#include "base/queue.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace streamvsr {
namespace {

using namespace std::chrono_literals;

// Long enough for a blocked thread to have gone on if it wrongly could.
constexpr auto kWhile = 50ms;

std::exception_ptr failure(const std::string& text) {
  return std::make_exception_ptr(std::runtime_error(text));
}

TEST_CASE("items come out in the order they went in") {
  ByteQueue<int> queue(1000);
  for (int i = 0; i < 10; ++i) queue.push(i, 1);
  for (int i = 0; i < 10; ++i) CHECK(queue.pop() == i);
}

TEST_CASE("try_pop takes what is there and does not wait") {
  ByteQueue<int> queue(10);
  CHECK_FALSE(queue.try_pop().has_value());
  queue.push(7, 1);
  CHECK(queue.try_pop() == 7);
  CHECK_FALSE(queue.try_pop().has_value());
}

TEST_CASE("items are moved, not copied") {
  ByteQueue<std::unique_ptr<int>> queue(10);
  queue.push(std::make_unique<int>(3), 1);
  CHECK(*queue.pop() == 3);
}

TEST_CASE("push waits while the bound would be passed") {
  ByteQueue<int> queue(10);
  queue.push(1, 6);
  std::atomic<bool> pushed{false};
  std::thread producer([&] {
    queue.push(2, 5);
    pushed = true;
  });
  std::this_thread::sleep_for(kWhile);
  CHECK_FALSE(pushed);
  CHECK(queue.pop() == 1);
  CHECK(queue.pop() == 2);
  producer.join();
  CHECK(pushed);
  CHECK(queue.peak_bytes() == 6);
}

TEST_CASE("an exact fit does not wait") {
  ByteQueue<int> queue(10);
  queue.push(1, 6);
  queue.push(2, 4);
  CHECK(queue.peak_bytes() == 10);
}

TEST_CASE("an item larger than the bound is admitted, alone") {
  ByteQueue<int> queue(10);
  queue.push(1, 100);
  CHECK(queue.peak_bytes() == 100);
  std::atomic<bool> pushed{false};
  std::thread producer([&] {
    queue.push(2, 100);
    pushed = true;
  });
  std::this_thread::sleep_for(kWhile);
  CHECK_FALSE(pushed);
  CHECK(queue.pop() == 1);
  CHECK(queue.pop() == 2);
  producer.join();
  CHECK(queue.peak_bytes() == 100);
}

TEST_CASE("pop waits for an item") {
  ByteQueue<int> queue(10);
  std::atomic<int> got{0};
  std::thread consumer([&] { got = queue.pop(); });
  std::this_thread::sleep_for(kWhile);
  CHECK(got == 0);
  queue.push(5, 1);
  consumer.join();
  CHECK(got == 5);
}

TEST_CASE("fail wakes a waiting pop") {
  ByteQueue<int> queue(10);
  std::atomic<bool> threw{false};
  std::thread consumer([&] {
    try {
      queue.pop();
    } catch (const std::runtime_error& error) {
      threw = std::string(error.what()) == "broken";
    }
  });
  std::this_thread::sleep_for(kWhile);
  queue.fail(failure("broken"));
  consumer.join();
  CHECK(threw);
}

TEST_CASE("fail wakes a waiting push") {
  ByteQueue<int> queue(1);
  queue.push(1, 1);
  std::atomic<bool> threw{false};
  std::thread producer([&] {
    try {
      queue.push(2, 1);
    } catch (const std::runtime_error& error) {
      threw = std::string(error.what()) == "broken";
    }
  });
  std::this_thread::sleep_for(kWhile);
  queue.fail(failure("broken"));
  producer.join();
  CHECK(threw);
}

TEST_CASE("after fail every call throws the first failure, forever, and items are gone") {
  ByteQueue<std::shared_ptr<int>> queue(10);
  const auto item = std::make_shared<int>(1);
  queue.push(item, 1);
  queue.fail(failure("first"));
  queue.fail(failure("second"));
  CHECK(item.use_count() == 1);
  for (int i = 0; i < 2; ++i) {
    CHECK_THROWS_WITH_AS(queue.pop(), "first", std::runtime_error);
    CHECK_THROWS_WITH_AS(queue.try_pop(), "first", std::runtime_error);
    CHECK_THROWS_WITH_AS(queue.push(item, 1), "first", std::runtime_error);
  }
}

TEST_CASE("many producers and consumers lose and double nothing and keep the bound") {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  ByteQueue<int> queue(16);
  std::vector<std::atomic<int>> seen(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i)
        queue.push(t * kEach + i, 1 + static_cast<std::size_t>(i % 5));
    });
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) ++seen[static_cast<std::size_t>(queue.pop())];
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : seen) CHECK(count == 1);
  CHECK(queue.peak_bytes() <= 16);
  CHECK_FALSE(queue.try_pop().has_value());
}

}  // namespace
}  // namespace streamvsr
