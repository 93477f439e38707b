// The `.part` beside an output, from its creation to the rename that makes it the output.
#pragma once

#include <string>

#include "base/file.h"

namespace streamvsr {

// Refuses when something lies where the `.part` or the checkpoint of an output will go that no run
// of ours left there: browsers and downloaders use the same suffix. Throws kOutputExists or kInput.
void check_remains(const std::string& output);

// Purpose: creates and locks the `.part`; unless it was committed, removes it and the checkpoint
// again. Thread-safety: none.
class PartFile {
 public:
  // Takes over what an interrupted run left. Throws kIo with EBUSY when another process works on
  // the same output.
  explicit PartFile(const std::string& output);
  ~PartFile();
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  File& file() { return file_; }
  // Gives the finished file its name. Throws kOutputExists when the name is taken and overwrite is
  // not set.
  void commit(bool overwrite);

 private:
  std::string output_;
  File file_;
  bool owned_ = false;
};

}  // namespace streamvsr
