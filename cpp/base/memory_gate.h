// The gate that whatever is in flight must pass: bytes are admitted before memory is taken for
// them.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/mutex.h"

namespace streamvsr {

// Counts bytes that several gates have admitted. Thread-safe.
class ByteGauge {
 public:
  void add(std::size_t bytes) {
    const std::size_t now = bytes_.fetch_add(bytes) + bytes;
    std::size_t peak = peak_.load();
    while (now > peak && !peak_.compare_exchange_weak(peak, now)) {
    }
  }
  void remove(std::size_t bytes) { bytes_.fetch_sub(bytes); }
  std::size_t bytes() const { return bytes_.load(); }
  std::size_t peak() const { return peak_.load(); }

 private:
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> peak_{0};
};

// Purpose: admits bytes up to a limit that is never passed. Thread-safety: every call may come from
// any thread. Ownership: outlives what it admitted, and its gauge outlives it.
class MemoryGate {
 public:
  // What was admitted; gives it back at its end. Empty: nothing.
  class Admission {
   public:
    Admission() = default;
    Admission(Admission&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    Admission& operator=(Admission&& other) noexcept {
      Admission old(std::move(other));
      std::swap(gate_, old.gate_);
      std::swap(bytes_, old.bytes_);
      return *this;
    }
    ~Admission() {
      if (gate_ != nullptr) gate_->give_back(bytes_);
    }
    std::size_t bytes() const { return bytes_; }

   private:
    friend class MemoryGate;
    Admission(MemoryGate& gate, std::size_t bytes) : gate_(&gate), bytes_(bytes) {}
    MemoryGate* gate_ = nullptr;
    std::size_t bytes_ = 0;
  };

  // limit: the most bytes admitted at once. gauge: told of every admission; none: null.
  explicit MemoryGate(std::size_t limit, ByteGauge* gauge = nullptr)
      : gauge_(gauge), limit_(limit) {}
  MemoryGate(const MemoryGate&) = delete;
  MemoryGate& operator=(const MemoryGate&) = delete;

  // Waits for room. Throws kMemory for what no waiting can make fit, and a failure as it is given.
  Admission admit(std::size_t bytes) {
    const Lock lock(mutex_);
    while (!failure_ && bytes <= limit_ && bytes > limit_ - std::min(bytes_, limit_))
      room_.wait(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (bytes > limit_)
      throw Error(ErrorKind::kMemory, std::to_string(bytes) + " bytes do not fit into " +
                                          std::to_string(limit_) + " bytes of memory");
    return let_in(bytes);
  }

  // The same without waiting: nothing where it would pass the limit.
  std::optional<Admission> try_admit(std::size_t bytes) {
    const Lock lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (bytes > limit_ - std::min(bytes_, limit_)) return std::nullopt;
    return let_in(bytes);
  }

  // Waits up to a time: nothing where there was no room by then, or can never be.
  template <class Duration>
  std::optional<Admission> admit_within(std::size_t bytes, Duration wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    const Lock lock(mutex_);
    while (!failure_ && bytes > limit_ - std::min(bytes_, limit_)) {
      const auto now = std::chrono::steady_clock::now();
      if (bytes > limit_ || now >= until) return std::nullopt;
      room_.wait_for(mutex_, until - now);
    }
    if (failure_) std::rethrow_exception(failure_);
    return let_in(bytes);
  }

  // Wakes whoever waits; from now on every call to be admitted throws the first failure given.
  void fail(std::exception_ptr failure) {
    const Lock lock(mutex_);
    if (!failure_) failure_ = std::move(failure);
    room_.notify_all();
  }

  // Changes the limit; what is admitted stays so, and counts.
  void limit(std::size_t limit) {
    const Lock lock(mutex_);
    limit_ = limit;
    room_.notify_all();
  }
  std::size_t limit() const {
    const Lock lock(mutex_);
    return limit_;
  }
  // Admitted now.
  std::size_t bytes() const {
    const Lock lock(mutex_);
    return bytes_;
  }
  // The most ever admitted at once.
  std::size_t peak() const {
    const Lock lock(mutex_);
    return peak_;
  }

 private:
  Admission let_in(std::size_t bytes) REQUIRES(mutex_) {
    bytes_ += bytes;
    peak_ = std::max(peak_, bytes_);
    if (gauge_ != nullptr) gauge_->add(bytes);
    return {*this, bytes};
  }
  void give_back(std::size_t bytes) {
    const Lock lock(mutex_);
    bytes_ -= bytes;
    if (gauge_ != nullptr) gauge_->remove(bytes);
    room_.notify_all();
  }

  mutable Mutex mutex_;
  Condition room_;
  ByteGauge* const gauge_;
  std::size_t limit_ GUARDED_BY(mutex_);
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
  std::size_t peak_ GUARDED_BY(mutex_) = 0;
  std::exception_ptr failure_ GUARDED_BY(mutex_);
};

}  // namespace streamvsr
