#include "model/engine.h"

#include "base/error.h"

namespace streamvsr {

namespace {

constexpr int kMostThreads = 1024;

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kConfig, what); }

}  // namespace

Precision parse_precision(const std::string& name) {
  for (const Precision precision :
       {Precision::kAuto, Precision::kBf16, Precision::kFp16, Precision::kFp32}) {
    if (name == precision_name(precision)) return precision;
  }
  refuse("precision is '" + name + "': use auto, bf16, fp16 or fp32");
}

const char* precision_name(const Precision precision) {
  switch (precision) {
    case Precision::kBf16:
      return "bf16";
    case Precision::kFp16:
      return "fp16";
    case Precision::kFp32:
      return "fp32";
    default:
      return "auto";
  }
}

Colors parse_colors(const std::string& name) {
  if (name == "auto") return Colors::kAuto;
  if (name == "zimg") return Colors::kZimg;
  if (name == "tensor") return Colors::kTensor;
  refuse("colors is '" + name + "': use auto, zimg or tensor");
}

FlowBy parse_flow_by(const std::string& name) {
  if (name == "auto") return FlowBy::kAuto;
  if (name == "loops") return FlowBy::kLoops;
  if (name == "tensor") return FlowBy::kTensor;
  refuse("flow_by is '" + name + "': use auto, loops or tensor");
}

void check_picture(const Engine& engine, const Picture& picture) {
  if (picture.width < 1 || picture.height < 1) refuse("a picture has at least one sample");
  if (picture.depth < 8 || picture.depth > 16) {
    refuse("depth is " + std::to_string(picture.depth) + ": use 8 to 16");
  }
  const auto planes = [&](const LumaChroma* const colors) {
    if (colors != nullptr && !engine.recolours())
      refuse("the network takes red, green and blue, not luma and chroma");
    return static_cast<std::size_t>(colors != nullptr ? colors->planes : engine.planes());
  };
  if (picture.source.size() != planes(picture.source_colors) ||
      picture.result.size() != planes(picture.result_colors)) {
    refuse("the network takes and gives " + std::to_string(engine.planes()) + " planes, not " +
           std::to_string(picture.source.size()));
  }
  if (static_cast<int>(picture.conditions.size()) != engine.condition_count()) {
    refuse("the network takes " + std::to_string(engine.condition_count()) +
           " condition values, not " + std::to_string(picture.conditions.size()));
  }
}

void check_threads(const int threads) {
  if (threads < 1 || threads > kMostThreads) {
    refuse("threads is " + std::to_string(threads) + ": use 1 to " + std::to_string(kMostThreads));
  }
}

}  // namespace streamvsr
