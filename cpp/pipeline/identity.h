// What a job is, so that a later run can tell whether it is the same one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "enhance/enhancer.h"
#include "media/input.h"

namespace streamvsr {

struct JobPlan;

// Everything that decides the output's bytes, by name. Thread-safe by being a value.
struct Identity {
  using Entries = std::map<std::string, std::string>;
  Entries input;        // the source's content
  Entries job;          // what was asked for, the network among it
  Entries environment;  // libraries and processor: they may change bytes, never which frames

  bool operator==(const Identity&) const = default;
};

// The enhancer tells its one-line description, with the processor's path, and the numeric type that
// the job's "auto" stands for: a resumed job computes in the same one.
Identity identify(const JobPlan& plan, const Input& input, const Enhancer& enhancer);

// "crf was 18 and is 20", one sentence an entry; empty when there is no difference.
std::vector<std::string> differences(const Identity::Entries& then, const Identity::Entries& now);

// SHA-256 over what planning derived: times, segment table and the like.
std::string plan_hash(const JobPlan& plan);

// Purpose: notices that the source's file is no longer what it was. Thread-safety: none.
class SourceWatch {
 public:
  explicit SourceWatch(std::string path);
  // Throws kInput when the file was changed, cut or replaced since construction.
  void check();

 private:
  struct Seen {
    std::int64_t device = 0, inode = 0, size = 0, modified_ns = 0;
    bool operator==(const Seen&) const = default;
  };
  Seen look() const;

  std::string path_;
  Seen seen_;
  std::string content_;
};

}  // namespace streamvsr
