// Which of a job's options decide its bytes, and under which name a checkpoint keeps them.
#pragma once

#include <span>
#include <string>

#include "pipeline/identity.h"

namespace streamvsr {

// What entries are made from.
struct IdentitySources {
  const JobPlan& plan;
  const Enhancer& enhancer;
};

// One option. Either it is part of the identity, or it is exempt, and then a reason says why two
// jobs that differ in it alone give the same bytes.
struct IdentityOption {
  const char* option;  // as StreamingConfig calls it; empty: planning derived it
  Identity::Entries Identity::* part = nullptr;  // null: exempt
  const char* entry = "";                        // its name there; options may share one
  // Its value there; empty: there is no such entry.
  std::string (*value)(const IdentitySources&) = nullptr;
  const char* exempt = "";  // the reason
};

// Every option of StreamingConfig, and what planning derived. tests/pipeline/test_identity.py
// compares the names with StreamingConfig's, and runs jobs that differ in one option.
std::span<const IdentityOption> identity_options();

}  // namespace streamvsr
