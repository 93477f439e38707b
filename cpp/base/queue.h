// A queue between two stages, of items that a gate has admitted.
#pragma once

#include <cstddef>
#include <deque>
#include <exception>
#include <optional>
#include <utility>

#include "base/memory_gate.h"

namespace streamvsr {

// Purpose: hands items from one stage to the next. Bounded in bytes, since nothing gets in without
// the gate's admission, which goes along with the item: a fast producer waits at the gate.
// Thread-safety: every call may come from any thread. Ownership: items are moved in and out; the
// gate outlives the queue and the items. fail() wakes both ends: push, pop and the gate then
// rethrow the first failure given, forever.
template <class T>
class ByteQueue {
 public:
  struct Entry {
    T item;
    MemoryGate::Admission memory;  // of the item, until its memory is free
  };

  explicit ByteQueue(MemoryGate& gate) : gate_(gate) {}

  // memory: admitted by the gate; empty for an item that takes none.
  void push(T item, MemoryGate::Admission memory) {
    const Lock lock(mutex_);
    rethrow_if_failed();
    bytes_ += memory.bytes();
    items_.push_back({std::move(item), std::move(memory)});
    not_empty_.notify_one();
  }

  // Blocks while the queue is empty.
  Entry pop() {
    const Lock lock(mutex_);
    while (!failure_ && items_.empty()) not_empty_.wait(mutex_);
    rethrow_if_failed();
    return take();
  }

  // The next item if one is there now.
  std::optional<Entry> try_pop() {
    const Lock lock(mutex_);
    rethrow_if_failed();
    if (items_.empty()) return std::nullopt;
    return take();
  }

  // The first failure wins; later ones are ignored. Queued items are dropped.
  void fail(std::exception_ptr failure) {
    gate_.fail(failure);
    std::deque<Entry> dropped;
    const Lock lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    dropped.swap(items_);
    bytes_ = 0;
    not_empty_.notify_all();
  }

  struct Fill {
    std::size_t items = 0;
    std::size_t bytes = 0;
    std::size_t limit = 0;  // of the gate: what is in hand before and behind the queue counts, too
  };
  Fill fill() const {
    const std::size_t limit = gate_.limit();
    const Lock lock(mutex_);
    return {items_.size(), bytes_, limit};
  }

 private:
  void rethrow_if_failed() const REQUIRES(mutex_) {
    if (failure_) std::rethrow_exception(failure_);
  }
  Entry take() REQUIRES(mutex_) {
    Entry entry = std::move(items_.front());
    items_.pop_front();
    bytes_ -= entry.memory.bytes();
    return entry;
  }

  MemoryGate& gate_;
  mutable Mutex mutex_;
  Condition not_empty_;
  std::deque<Entry> items_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
  std::exception_ptr failure_ GUARDED_BY(mutex_);
};

}  // namespace streamvsr
