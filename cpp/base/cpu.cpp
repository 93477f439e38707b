#include "base/cpu.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace streamvsr {

namespace {

// Of the calling thread; glibc has no functions for these two calls.
using Rights = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;

bool get_rights(Rights& rights) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capget, &header, rights.data()) == 0;
}

bool set_rights(const Rights& rights) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  return ::syscall(SYS_capset, &header, rights.data()) == 0;
}

}  // namespace

int usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return std::max(1, CPU_COUNT(&set));
}

NoRealTime::NoRealTime() {
  Rights rights;
  if (!get_rights(rights)) return;
  effective_ = rights[0].effective;
  rights[0].effective &= ~(std::uint32_t{1} << CAP_SYS_NICE);
  changed_ = rights[0].effective != effective_ && set_rights(rights);
}

NoRealTime::~NoRealTime() {
  Rights rights;
  if (!changed_ || !get_rights(rights)) return;
  rights[0].effective = effective_;
  set_rights(rights);
}

}  // namespace streamvsr
