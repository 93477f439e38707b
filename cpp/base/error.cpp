#include "base/error.h"

#include <system_error>

namespace streamvsr {

void throw_errno(const int code, const std::string_view doing, const std::string& path) {
  throw Error(
      ErrorKind::kIo,
      "cannot " + std::string(doing) + " '" + path + "': " + std::generic_category().message(code),
      path, code);
}

}  // namespace streamvsr
