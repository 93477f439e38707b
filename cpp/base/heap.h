// The memory allocator's own store.
#pragma once

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace streamvsr {

// What is free in the heaps goes back to the system. Threads that come and go each leave some
// there.
inline void trim_heap() {
#if defined(__GLIBC__)
  ::malloc_trim(0);
#endif
}

}  // namespace streamvsr
