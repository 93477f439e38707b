// Another library's information about a thread, in the slot that libtorch has for inference:
// compiled and loaded by test_foreign_context.py.
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <array>
#include <memory>

namespace {

constexpr unsigned char kFilling = 0;

struct Foreign final : c10::DebugInfoBase {
  Foreign() { bytes.fill(kFilling); }
  std::array<unsigned char, 1024> bytes;
};

std::shared_ptr<Foreign> foreign;

}  // namespace

extern "C" void enter() {
  foreign = std::make_shared<Foreign>();
  c10::ThreadLocalDebugInfo::_push(c10::DebugInfoKind::INFERENCE_CONTEXT, foreign);
}

// Whether the information is the same object and untouched.
extern "C" bool leave() {
  return c10::ThreadLocalDebugInfo::_pop(c10::DebugInfoKind::INFERENCE_CONTEXT) == foreign &&
         std::all_of(foreign->bytes.begin(), foreign->bytes.end(),
                     [](const unsigned char byte) { return byte == kFilling; });
}
