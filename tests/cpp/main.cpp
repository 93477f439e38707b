// A crash is told by the sanitizers, with its stack; doctest's own handler can hang inside them.
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "hang.h"

int main(int argc, char** argv) {
  // What was said before a suite is killed is there to be read.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::jthread watch = streamvsr::watch_for_hang();
  return doctest::Context(argc, argv).run();
}
