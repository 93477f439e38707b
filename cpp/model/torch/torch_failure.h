// Failures behind the C boundary: a number and a line of text.
#pragma once

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <stdexcept>
#include <string>

#include "model/torch/torch_table.h"

namespace streamvsr {

// A failure that is ours to name.
struct Refusal : std::runtime_error {
  Refusal(const int code, const std::string& what) : std::runtime_error(what), status(code) {}
  int status;
};

[[noreturn]] inline void refuse(const std::string& what) {
  throw Refusal(STREAMVSR_TORCH_FAILED, what);
}

// What the thread's last failed call left: one line.
std::string& last_failure() noexcept;
// Notes a failure and gives the number to return.
int failed(int status, const char* text) noexcept;

template <class Call>
int guarded(const Call call) noexcept {
  try {
    call();
    return STREAMVSR_TORCH_OK;
  } catch (const Refusal& failure) {
    return failed(failure.status, failure.what());
  } catch (const c10::OutOfMemoryError& failure) {
    return failed(STREAMVSR_TORCH_MEMORY, failure.what_without_backtrace());
  } catch (const c10::Error& failure) {
    return failed(STREAMVSR_TORCH_FAILED, failure.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return failed(STREAMVSR_TORCH_MEMORY, "out of memory");
  } catch (const std::exception& failure) {
    return failed(STREAMVSR_TORCH_FAILED, failure.what());
  } catch (...) {
    return failed(STREAMVSR_TORCH_FAILED, "an exception of an unknown kind");
  }
}

}  // namespace streamvsr
