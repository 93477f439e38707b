// A queue bounded in bytes between two stages.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace streamvsr {

// Purpose: hands items from one stage to the next and makes a fast producer wait for a slow
// consumer. Thread-safety: every call may come from any thread. Ownership: items are moved in and
// out. At least one item is admitted whatever its size, so an item larger than the bound cannot
// deadlock. fail() wakes both ends: push and pop then rethrow the first failure given, forever.
template <class T>
class ByteQueue {
 public:
  // max_bytes: the most bytes held at once, unless a single item is larger; > 0.
  explicit ByteQueue(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Blocks while the bound would be passed.
  void push(T item, std::size_t bytes) {
    const Lock lock(mutex_);
    while (!failure_ && !items_.empty() && bytes_ + bytes > max_bytes_) not_full_.wait(mutex_);
    rethrow_if_failed();
    bytes_ += bytes;
    if (bytes_ > peak_bytes_) peak_bytes_ = bytes_;
    items_.emplace_back(std::move(item), bytes);
    not_empty_.notify_one();
  }

  // Blocks while the queue is empty.
  T pop() {
    const Lock lock(mutex_);
    while (!failure_ && items_.empty()) not_empty_.wait(mutex_);
    rethrow_if_failed();
    return take();
  }

  // The next item if one is there now.
  std::optional<T> try_pop() {
    const Lock lock(mutex_);
    rethrow_if_failed();
    if (items_.empty()) return std::nullopt;
    return take();
  }

  // The first failure wins; later ones are ignored. Queued items are dropped.
  void fail(std::exception_ptr failure) {
    const Lock lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    items_.clear();
    bytes_ = 0;
    not_empty_.notify_all();
    not_full_.notify_all();
  }

  struct Fill {
    std::size_t items = 0;
    std::size_t bytes = 0;
    std::size_t limit = 0;  // of the bytes
  };
  Fill fill() const {
    const Lock lock(mutex_);
    return {items_.size(), bytes_, max_bytes_};
  }
  // Changes the bound; what is queued stays. 0: one item at a time.
  void limit(std::size_t max_bytes) {
    const Lock lock(mutex_);
    max_bytes_ = max_bytes;
    not_full_.notify_all();
  }

  // The most bytes ever held at once.
  std::size_t peak_bytes() const {
    const Lock lock(mutex_);
    return peak_bytes_;
  }

 private:
  void rethrow_if_failed() const REQUIRES(mutex_) {
    if (failure_) std::rethrow_exception(failure_);
  }
  T take() REQUIRES(mutex_) {
    auto [item, bytes] = std::move(items_.front());
    items_.pop_front();
    bytes_ -= bytes;
    not_full_.notify_one();
    return std::move(item);
  }

  mutable Mutex mutex_;
  Condition not_full_;
  Condition not_empty_;
  std::deque<std::pair<T, std::size_t>> items_ GUARDED_BY(mutex_);
  std::size_t max_bytes_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
  std::size_t peak_bytes_ GUARDED_BY(mutex_) = 0;
  std::exception_ptr failure_ GUARDED_BY(mutex_);
};

}  // namespace streamvsr
