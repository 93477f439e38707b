#include "color/zimg.h"

#include <string>

#include "base/error.h"

namespace streamvsr {

void throw_zimg(const char* const doing) {
  char text[256] = {};
  zimg_get_last_error(text, sizeof text);
  throw Error(ErrorKind::kInternal, std::string("zimg cannot ") + doing + ": " + text);
}

}  // namespace streamvsr
