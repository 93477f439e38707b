// An accelerator's account: libtorch's caching allocator of the device, held to a share of it.
#include <ATen/Context.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/AllocatorConfig.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "tensor/torch/account.h"

namespace streamvsr {

namespace {

// Context, code of the kernels and what libraries take beside torch's allocator: measured on common
// cards at 300 to 600 MiB.
constexpr std::size_t kReserve = std::size_t{768} << 20;
constexpr std::size_t kLeast = std::size_t{256} << 20;  // beside the reserve
constexpr double kEmptyAt = 0.8;                        // of the allocator's share

constexpr auto kAll = static_cast<std::size_t>(c10::CachingAllocator::StatType::AGGREGATE);

class NoScope final : public Account::Scope {};

// Purpose, thread-safety and ownership: as Account. The caching allocator is the process's, so the
// figures are, too. Three things hold the limit: the allocator's own cap, where it takes one; the
// plan of the work; and settle(), which turns a peak beyond it into an out-of-memory error.
class AcceleratorAccount final : public Account {
 public:
  AcceleratorAccount(const c10::Device& device, const std::size_t limit)
      : device_(device), limit_(limit) {
    TORCH_CHECK_WITH(OutOfMemoryError, limit_ >= kReserve + kLeast, "out of memory: a limit of ",
                     limit_ >> 20, " MiB leaves too little beside the ", kReserve >> 20,
                     " MiB that a device's context and libraries take; at least ",
                     (kReserve + kLeast) >> 20, " MiB are needed");
    cap();
    at::globalContext().lazyInitDevice(device_.type());
    if (allocator().initialized()) allocator().resetPeakStats(device_.index());
  }

  std::unique_ptr<Scope> count() override { return std::make_unique<NoScope>(); }

  DeviceMemory memory() const override {
    const auto reserved = allocator().getDeviceStats(device_.index()).reserved_bytes[kAll];
    const std::size_t peak =
        std::max(peak_.load(), static_cast<std::size_t>(std::max<std::int64_t>(0, reserved.peak)));
    return {limit_, kReserve, kReserve + static_cast<std::size_t>(reserved.current),
            kReserve + peak};
  }

  std::size_t take_peak() override {
    const std::size_t peak = memory().peak - kReserve;
    const auto recent = allocator().getDeviceStats(device_.index()).reserved_bytes[kAll].peak;
    peak_ = peak;
    // Cached memory would hide what the next pictures take.
    allocator().emptyCache();
    allocator().resetPeakStats(device_.index());
    return kReserve + static_cast<std::size_t>(recent);
  }

  void settle() override {
    const auto reserved = allocator().getDeviceStats(device_.index()).reserved_bytes[kAll];
    const std::size_t share = limit_ - kReserve;
    peak_ = std::max(peak_.load(), static_cast<std::size_t>(reserved.peak));
    const bool passed = static_cast<std::size_t>(reserved.peak) > share;
    if (passed || static_cast<double>(reserved.current) > kEmptyAt * static_cast<double>(share))
      allocator().emptyCache();
    if (!passed) return;
    allocator().resetPeakStats(device_.index());
    TORCH_CHECK_WITH(OutOfMemoryError, false, "out of memory: ", reserved.peak >> 20,
                     " MiB were held, the limit of ", limit_ >> 20, " MiB leaves ", share >> 20);
  }

 private:
  // The allocator takes the cap when it is made: it has none where something else has used the
  // device before in this process.
  void cap() const {
    try {
      const std::size_t total = allocator().getMemoryInfo(device_.index()).second;
      const double fraction = static_cast<double>(limit_ - kReserve) / static_cast<double>(total);
      if (total == 0 || fraction >= 1.0) return;
      c10::CachingAllocator::setAllocatorSettings(
          users_settings() + "per_process_memory_fraction:" + std::to_string(fraction));
    } catch (const c10::Error&) {  // this kind of device has no such setting
    }
  }
  // Some of what is not said again goes back to its default.
  static std::string users_settings() {
    for (const char* const name : {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"}) {
      const char* const value = std::getenv(name);
      if (value != nullptr && *value != '\0') return std::string(value) + ",";
    }
    return {};
  }
  at::DeviceAllocator& allocator() const { return *at::getDeviceAllocator(device_.type()); }

  c10::Device device_;
  std::size_t limit_;
  std::atomic<std::size_t> peak_{0};  // of reserved bytes, in spans that were reset
};

}  // namespace

std::shared_ptr<Account> open_accelerator_account(const c10::Device& device,
                                                  const std::size_t limit) {
  return std::make_shared<AcceleratorAccount>(device, limit);
}

std::shared_ptr<Account> open_account(const c10::Device& device, const std::size_t limit) {
  return device.is_cpu() ? open_cpu_account(limit) : open_accelerator_account(device, limit);
}

}  // namespace streamvsr
