// What one engine holds on its device, behind one face for the CPU and for accelerators.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>

#include "tensor/device_memory.h"

namespace streamvsr {

// Purpose: the memory of one engine on one device, with a limit that is not passed: what would pass
// it throws c10::OutOfMemoryError. Thread-safety: memory() from any thread, the rest from the
// engine's. Ownership: outlives the tensors it counted, whoever holds them.
class Account {
 public:
  virtual ~Account() = default;

  // Purpose: while one lives, this thread's new tensors belong to the account.
  class Scope {
   public:
    virtual ~Scope() = default;
  };

  virtual std::unique_ptr<Scope> count() = 0;
  virtual DeviceMemory memory() const = 0;
  // The peak since the last call, which begins anew from what is held.
  virtual std::size_t take_peak() = 0;
  // To be called when everything of a picture is freed: gives cached memory back where it is much.
  // Throws where the limit was passed behind the allocator's back.
  virtual void settle() {}
  // Makes the nth allocation from now on fail, 1 the next one; 0: none. For tests.
  virtual void fail_allocation(std::int64_t) {}
};

// limit: bytes, above 0. Throws c10::Error where the device cannot be limited.
std::shared_ptr<Account> open_account(const c10::Device& device, std::size_t limit);

// The parts, one a kind of device.
std::shared_ptr<Account> open_cpu_account(std::size_t limit);
std::shared_ptr<Account> open_accelerator_account(const c10::Device& device, std::size_t limit);

}  // namespace streamvsr
