// Whole jobs over files that may be anything, for a build under sanitizers
// (tests/fidelity/fuzz.py): fuzz_jobs OUTPUT FILE... prints a line for each: its kind of error or
// the frames, and its name. kInternal is a defect of ours, as is anything that is no Error.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <new>

#include "base/error.h"
#include "enhance/enhancer.h"
#include "pipeline/job.h"

namespace {

constexpr std::array kKinds = {"not found",     "input", "damaged", "config",
                               "output exists", "io",    "busy",    "resume",
                               "memory",        "model", "stopped", "INTERNAL"};

std::string outcome(const std::string& input, const std::string& output) {
  using namespace streamvsr;
  JobConfig config;
  config.input = input;
  config.output = output;
  config.encoder_preset = "ultrafast";
  config.overwrite = true;
  config.resume = ResumeMode::kNever;
  config.disk_ratio = 0.0;
  config.max_disk_fraction = 0.0;
  try {
    Job job(config, make_nearest_enhancer(1));
    return std::to_string(job.run({}, std::chrono::milliseconds(1000)).frames) + " frames";
  } catch (const Error& error) {
    const auto kind = static_cast<std::size_t>(error.kind());
    return std::string(kKinds.at(kind)) + ": " + error.what();
  } catch (const std::bad_alloc&) {
    return "memory: there is not enough";
  }
}

}  // namespace

int main(const int count, char** const words) {
  const std::string output = count > 1 ? words[1] : "";
  for (int i = 2; i < count; ++i) {
    std::printf("%s\t%s\n", outcome(words[i], output).c_str(), words[i]);
    std::fflush(stdout);
    for (const std::string& left :
         {output, streamvsr::part_path(output), streamvsr::checkpoint_path(output)})
      ::unlink(left.c_str());
  }
}
