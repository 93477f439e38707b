// Numbers as text, the same whatever locale the process has.
#pragma once

#include <locale.h>

#include <string>

namespace streamvsr {

// The shortest text that reads back as the same number, with a point: "18", "0.1", "1e-07".
std::string number_text(double value);
// With so many digits behind the point: "2.00".
std::string fixed_text(double value, int digits);

// Purpose: while it lives, C functions that the calling thread calls read and write numbers with a
// point, as programs do that never set a locale. FFmpeg and the encoders go by the locale when they
// read their options and write them into the stream. Other threads and categories stay as they are.
// Thread-safety: made and destroyed by one thread, one inside the other at most.
class PlainNumbers {
 public:
  PlainNumbers();
  ~PlainNumbers();
  PlainNumbers(const PlainNumbers&) = delete;
  PlainNumbers& operator=(const PlainNumbers&) = delete;

 private:
  locale_t plain_;   // null: there is none, and the thread's is left as it is
  locale_t before_;  // the thread's
};

}  // namespace streamvsr
