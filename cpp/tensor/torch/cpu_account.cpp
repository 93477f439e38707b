// The CPU's account: an allocator before libtorch's own that counts what is asked for in a scope.
//
// Note [who is counted]
// libtorch has one allocator for the CPU in a process. Ours asks it for all memory; it
// counts only what a thread asks for inside Account::Scope, so other users of torch in the process
// are neither counted nor limited. What was counted is credited when it is freed, by whichever
// thread and whenever. The scope travels as libtorch's own debug information does: also to the
// threads that TorchScript forks.
#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "tensor/torch/account.h"

namespace streamvsr {

namespace {

constexpr std::string_view kScopeName = "streamvsr::Account::Scope";

// A slot of our own, which no other code can know. Older versions of torch have a fixed list of
// slots: there we share one, so what is found in it need not be ours.
template <class Kind>
Kind scope_kind() {
  if constexpr (std::is_enum_v<Kind>)
    return Kind::INFERENCE_CONTEXT;
  else
    return Kind(&kScopeName);
}

const auto kScopeKind = scope_kind<c10::DebugInfoKind>();

// Smaller blocks stay with malloc.
constexpr std::size_t kLeastSpare = 128 * 1024;

double mib(const std::size_t bytes) { return static_cast<double>(bytes) / 1048576.0; }

// Purpose: the figures of one account. Thread-safety: all calls from any thread.
class Figures final : public c10::DebugInfoBase, public std::enable_shared_from_this<Figures> {
 public:
  explicit Figures(const std::size_t limit) : limit_(limit) {}

  // Throws c10::OutOfMemoryError where the limit would be passed.
  void add(const std::size_t bytes) {
    if (fail_in_.load() > 0 && fail_in_.fetch_sub(1) == 1)
      TORCH_CHECK_WITH(OutOfMemoryError, false, "out of memory: this allocation was told to fail");
    std::size_t held = held_.load();
    do {
      TORCH_CHECK_WITH(OutOfMemoryError, bytes <= limit_ && held <= limit_ - bytes,
                       "out of memory: ", mib(bytes), " MiB more than the ", mib(held),
                       " MiB held would pass the limit of ", mib(limit_), " MiB");
    } while (!held_.compare_exchange_weak(held, held + bytes));
    raise(peak_, held + bytes);
    raise(recent_peak_, held + bytes);
  }
  void remove(const std::size_t bytes) { held_.fetch_sub(bytes); }

  // A block of this size that was freed and kept; null where there is none.
  c10::DataPtr take_spare(const std::size_t bytes) {
    if (bytes < kLeastSpare) return {};
    const std::lock_guard<std::mutex> lock(spare_mutex_);
    const auto found = std::find_if(spares_.rbegin(), spares_.rend(),
                                    [bytes](const Spare& spare) { return spare.bytes == bytes; });
    if (found == spares_.rend()) return {};
    c10::DataPtr data = std::move(found->data);
    spare_bytes_ -= bytes;
    spares_.erase(std::next(found).base());
    return data;
  }
  // Keeps a block that was freed.
  void keep_spare(const std::size_t bytes, c10::DataPtr data) {
    if (bytes < kLeastSpare) return;
    const std::lock_guard<std::mutex> lock(spare_mutex_);
    spares_.push_back({bytes, std::move(data)});
    spare_bytes_ += bytes;
  }
  // Frees the spare blocks that waited longest, until all fits under the peak.
  void trim_spares() {
    const std::lock_guard<std::mutex> lock(spare_mutex_);
    while (!spares_.empty() && held_.load() + spare_bytes_ > peak_.load()) {
      spare_bytes_ -= spares_.front().bytes;
      spares_.pop_front();
    }
  }
  void fail_in(const std::int64_t nth) { fail_in_ = nth; }
  std::size_t take_peak() { return recent_peak_.exchange(held_.load()); }
  DeviceMemory memory() const { return {limit_, 0, held_.load(), peak_.load()}; }

 private:
  static void raise(std::atomic<std::size_t>& peak, const std::size_t to) {
    std::size_t seen = peak.load();
    while (to > seen && !peak.compare_exchange_weak(seen, to)) {
    }
  }

  const std::size_t limit_;
  std::atomic<std::size_t> held_{0};
  std::atomic<std::size_t> peak_{0};
  std::atomic<std::size_t> recent_peak_{0};
  std::atomic<std::int64_t> fail_in_{0};
  struct Spare {
    std::size_t bytes = 0;
    c10::DataPtr data;
  };
  std::mutex spare_mutex_;
  std::deque<Spare> spares_;     // guarded by spare_mutex_, as is:
  std::size_t spare_bytes_ = 0;  // of all of them
};

// Purpose: see Note [who is counted]. Thread-safety: all calls from any thread. Ownership: lives as
// long as the process, since memory it gave out may.
class CountingAllocator final : public c10::Allocator {
 public:
  static CountingAllocator& get() {
    static CountingAllocator* const allocator =
        std::make_unique<CountingAllocator>(*c10::GetAllocator(c10::kCPU)).release();
    return *allocator;
  }

  // Other threads may be asking for memory meanwhile: they see the one allocator or the other.
  explicit CountingAllocator(c10::Allocator& inner) : inner_(inner) {
    c10::SetAllocator(c10::kCPU, this);
    TORCH_CHECK(c10::GetAllocator(c10::kCPU) == this,
                "another library has set torch's allocator for the CPU for good");
  }

  c10::DataPtr allocate(const std::size_t bytes) override {
    auto* const figures = dynamic_cast<Figures*>(c10::ThreadLocalDebugInfo::get(kScopeKind));
    if (figures == nullptr || bytes == 0) return inner_.allocate(bytes);
    c10::DataPtr data = figures->take_spare(bytes);
    figures->add(bytes);
    figures->trim_spares();
    try {
      if (!data) data = inner_.allocate(bytes);
      void* const address = data.get();
      Shard& shard = shard_of(address);
      const std::lock_guard<std::mutex> lock(shard.mutex);
      shard.blocks.emplace(address, Block{figures->shared_from_this(), bytes, std::move(data)});
      return {address, address, &release, c10::Device(c10::kCPU)};
    } catch (...) {
      figures->remove(bytes);
      throw;
    }
  }
  // Also frees what was not counted.
  c10::DeleterFnPtr raw_deleter() const override {
    return inner_.raw_deleter() != nullptr ? &release : nullptr;
  }
  void copy_data(void* to, const void* from, const std::size_t bytes) const override {
    inner_.copy_data(to, from, bytes);
  }

 private:
  struct Block {
    std::shared_ptr<Figures> figures;
    std::size_t bytes = 0;
    c10::DataPtr data;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_map<void*, Block> blocks;  // guarded by mutex
  };

  static void release(void* const address) {
    CountingAllocator& self = get();
    Block block;
    {
      Shard& shard = self.shard_of(address);
      const std::lock_guard<std::mutex> lock(shard.mutex);
      const auto found = shard.blocks.find(address);
      if (found != shard.blocks.end()) {
        block = std::move(found->second);
        shard.blocks.erase(found);
      }
    }
    if (block.figures == nullptr) {
      self.inner_.raw_deallocate(address);
    } else {
      block.figures->remove(block.bytes);
      block.figures->keep_spare(block.bytes, std::move(block.data));
    }
  }
  Shard& shard_of(const void* const address) {
    return shards_[reinterpret_cast<std::uintptr_t>(address) / 64 % shards_.size()];
  }

  c10::Allocator& inner_;
  std::array<Shard, 16> shards_;
};

class CpuScope final : public Account::Scope {
 public:
  explicit CpuScope(std::shared_ptr<Figures> figures) : guard_(kScopeKind, std::move(figures)) {}

 private:
  c10::DebugInfoGuard guard_;
};

// Purpose, thread-safety and ownership: as Account. What oneDNN takes for itself is not torch's
// memory and not counted.
class CpuAccount final : public Account {
 public:
  explicit CpuAccount(const std::size_t limit) : figures_(std::make_shared<Figures>(limit)) {
    CountingAllocator::get();
  }
  std::unique_ptr<Scope> count() override { return std::make_unique<CpuScope>(figures_); }
  DeviceMemory memory() const override { return figures_->memory(); }
  std::size_t take_peak() override { return figures_->take_peak(); }
  void fail_allocation(const std::int64_t nth) override { figures_->fail_in(nth); }

 private:
  std::shared_ptr<Figures> figures_;
};

}  // namespace

std::shared_ptr<Account> open_cpu_account(const std::size_t limit) {
  return std::make_shared<CpuAccount>(limit);
}

}  // namespace streamvsr
