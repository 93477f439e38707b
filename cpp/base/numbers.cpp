#include "base/numbers.h"

#include <charconv>

namespace streamvsr {

std::string number_text(const double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string fixed_text(const double value, const int digits) {
  char text[400];  // the largest double has 309 digits before the point
  return {text,
          std::to_chars(text, text + sizeof text, value, std::chars_format::fixed, digits).ptr};
}

PlainNumbers::PlainNumbers() : plain_(nullptr), before_(::uselocale(nullptr)) {
  const locale_t copy = ::duplocale(before_);
  if (copy == nullptr) return;
  plain_ = ::newlocale(LC_NUMERIC_MASK, "C", copy);
  if (plain_ == nullptr) {
    ::freelocale(copy);
    return;
  }
  ::uselocale(plain_);
}

PlainNumbers::~PlainNumbers() {
  if (plain_ == nullptr) return;
  ::uselocale(before_);
  ::freelocale(plain_);
}

}  // namespace streamvsr
