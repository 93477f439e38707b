// Every rule of base/queue.h and base/memory_gate.h, with threads where a rule is about threads.
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
using Admission = MemoryGate::Admission;

// Long enough for a blocked thread to have gone on if it wrongly could.
constexpr auto kWhile = 50ms;

std::exception_ptr failure(const std::string& text) {
  return std::make_exception_ptr(std::runtime_error(text));
}

TEST_CASE("a gate admits up to its limit and not a byte more") {
  MemoryGate gate(10);
  Admission a = gate.admit(6);
  CHECK_FALSE(gate.try_admit(5).has_value());
  std::optional<Admission> b = gate.try_admit(4);
  REQUIRE(b.has_value());
  CHECK(gate.bytes() == 10);
  CHECK(b->bytes() == 4);
  CHECK(gate.try_admit(0).has_value());
  CHECK_FALSE(gate.try_admit(1).has_value());
}

TEST_CASE("what was admitted is given back once, however it is moved") {
  MemoryGate gate(10);
  {
    Admission a = gate.admit(6);
    Admission b = std::move(a);
    CHECK(gate.bytes() == 6);
    Admission c = gate.admit(3);
    c = std::move(b);  // gives its own back
    CHECK(gate.bytes() == 6);
    std::vector<Admission> all;
    all.push_back(std::move(c));
    CHECK(gate.bytes() == 6);
  }
  CHECK(gate.bytes() == 0);
  CHECK(gate.peak() == 9);
}

TEST_CASE("what can never fit is refused at once") {
  MemoryGate gate(10);
  CHECK_FALSE(gate.try_admit(11).has_value());
  try {
    gate.admit(11);
    FAIL("admitted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kMemory);
  }
  gate.limit(11);
  CHECK(gate.admit(11).bytes() == 11);
}

TEST_CASE("a gauge adds up what several gates admitted") {
  ByteGauge gauge;
  MemoryGate one(10, &gauge);
  MemoryGate two(10, &gauge);
  {
    const Admission a = one.admit(7);
    const Admission b = two.admit(8);
    CHECK(gauge.bytes() == 15);
  }
  CHECK(gauge.bytes() == 0);
  CHECK(gauge.peak() == 15);
}

TEST_CASE("admit waits until there is room") {
  MemoryGate gate(10);
  std::optional<Admission> held = gate.admit(6);
  std::atomic<bool> in{false};
  std::thread other([&] {
    const Admission more = gate.admit(5);
    in = true;
  });
  std::this_thread::sleep_for(kWhile);
  CHECK_FALSE(in);
  held.reset();
  other.join();
  CHECK(in);
  CHECK(gate.peak() == 6);
}

TEST_CASE("a lower limit holds back, a higher one lets in") {
  MemoryGate gate(10);
  std::optional<Admission> held = gate.admit(8);
  gate.limit(4);
  CHECK_FALSE(gate.try_admit(1).has_value());
  std::atomic<bool> in{false};
  std::thread other([&] {
    const Admission more = gate.admit(3);
    in = true;
  });
  std::this_thread::sleep_for(kWhile);
  CHECK_FALSE(in);
  gate.limit(11);
  other.join();
  CHECK(in);
}

TEST_CASE("a lower limit than somebody waits for is an error, not a wait for ever") {
  MemoryGate gate(10);
  const Admission held = gate.admit(8);
  std::atomic<bool> refused{false};
  std::thread other([&] {
    try {
      gate.admit(5);
    } catch (const Error& error) {
      refused = error.kind() == ErrorKind::kMemory;
    }
  });
  std::this_thread::sleep_for(kWhile);
  gate.limit(4);
  other.join();
  CHECK(refused);
}

TEST_CASE("fail wakes whoever waits at the gate, and stays") {
  MemoryGate gate(1);
  const Admission held = gate.admit(1);
  std::atomic<bool> threw{false};
  std::thread other([&] {
    try {
      gate.admit(1);
    } catch (const std::runtime_error& error) {
      threw = std::string(error.what()) == "broken";
    }
  });
  std::this_thread::sleep_for(kWhile);
  gate.fail(failure("broken"));
  gate.fail(failure("later"));
  other.join();
  CHECK(threw);
  CHECK_THROWS_WITH_AS(gate.try_admit(0), "broken", std::runtime_error);
}

TEST_CASE("many threads never pass the limit and leave nothing behind") {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  MemoryGate gate(16);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i)
        const Admission a = gate.admit(1 + static_cast<std::size_t>(i % 16));
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(gate.peak() <= 16);
  CHECK(gate.bytes() == 0);
}

TEST_CASE("items come out in the order they went in, with their memory") {
  MemoryGate gate(1000);
  ByteQueue<int> queue(gate);
  for (int i = 0; i < 10; ++i) queue.push(i, gate.admit(static_cast<std::size_t>(i)));
  CHECK(queue.fill().bytes == 45);
  CHECK(queue.fill().items == 10);
  CHECK(queue.fill().limit == 1000);
  for (int i = 0; i < 10; ++i) {
    const auto entry = queue.pop();
    CHECK(entry.item == i);
    CHECK(entry.memory.bytes() == static_cast<std::size_t>(i));
  }
  CHECK(queue.fill().bytes == 0);
  CHECK(gate.bytes() == 0);
}

TEST_CASE("try_pop takes what is there and does not wait") {
  MemoryGate gate(10);
  ByteQueue<int> queue(gate);
  CHECK_FALSE(queue.try_pop().has_value());
  queue.push(7, gate.admit(1));
  CHECK(queue.try_pop()->item == 7);
  CHECK_FALSE(queue.try_pop().has_value());
}

TEST_CASE("items are moved, not copied") {
  MemoryGate gate(10);
  ByteQueue<std::unique_ptr<int>> queue(gate);
  queue.push(std::make_unique<int>(3), gate.admit(1));
  CHECK(*queue.pop().item == 3);
}

TEST_CASE("pop waits for an item") {
  MemoryGate gate(10);
  ByteQueue<int> queue(gate);
  std::atomic<int> got{0};
  std::thread consumer([&] { got = queue.pop().item; });
  std::this_thread::sleep_for(kWhile);
  CHECK(got == 0);
  queue.push(5, {});
  consumer.join();
  CHECK(got == 5);
}

TEST_CASE("fail wakes a waiting pop") {
  MemoryGate gate(10);
  ByteQueue<int> queue(gate);
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

TEST_CASE("fail wakes a producer at the gate") {
  MemoryGate gate(1);
  ByteQueue<int> queue(gate);
  queue.push(1, gate.admit(1));
  std::atomic<bool> threw{false};
  std::thread producer([&] {
    try {
      queue.push(2, gate.admit(1));
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
  MemoryGate gate(10);
  ByteQueue<std::shared_ptr<int>> queue(gate);
  const auto item = std::make_shared<int>(1);
  queue.push(item, gate.admit(1));
  queue.fail(failure("first"));
  queue.fail(failure("second"));
  CHECK(item.use_count() == 1);
  CHECK(gate.bytes() == 0);
  for (int i = 0; i < 2; ++i) {
    CHECK_THROWS_WITH_AS(queue.pop(), "first", std::runtime_error);
    CHECK_THROWS_WITH_AS(queue.try_pop(), "first", std::runtime_error);
    CHECK_THROWS_WITH_AS(queue.push(item, {}), "first", std::runtime_error);
    CHECK_THROWS_WITH_AS(gate.admit(1), "first", std::runtime_error);
  }
}

TEST_CASE("many producers and consumers lose and double nothing and keep the bound") {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  MemoryGate gate(16);
  ByteQueue<int> queue(gate);
  std::vector<std::atomic<int>> seen(kThreads * kEach);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i)
        queue.push(t * kEach + i, gate.admit(1 + static_cast<std::size_t>(i % 5)));
    });
    threads.emplace_back([&] {
      for (int i = 0; i < kEach; ++i) ++seen[static_cast<std::size_t>(queue.pop().item)];
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : seen) CHECK(count == 1);
  CHECK(gate.peak() <= 16);
  CHECK(gate.bytes() == 0);
  CHECK_FALSE(queue.try_pop().has_value());
}

}  // namespace
}  // namespace streamvsr
