// The enhancer that runs a network on an engine, chosen by the name of the network's file.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "enhance/enhancer.h"
#include "model/engine.h"
#include "model/torch_engine.h"

namespace streamvsr {

struct EnhancerOptions {
  // A network that is no file: a function, else an archive in memory. network_path is its name
  // then.
  TensorCall function;
  std::shared_ptr<const std::string> archive;
  std::string network_path;  // .pt and .ts: docs/torch-engine.md; others: docs/network-format.md
  std::string brgemm_path;   // the rows engine's microkernels; empty: its own loops
  std::string torch_path;    // the torch engine's library; empty: there is none
  // Of layer lists: "rows", "torch", or "auto": torch where there is a device beside the CPU and
  // torch_path is given, else rows.
  std::string engine = "auto";
  std::string device = "auto";  // where the network runs; the rows engine knows the CPU alone
  int threads = 1;              // >= 1
  Precision precision = Precision::kAuto;
  // The network applied this many times: x4 from an x2 network takes 2. 0: as many as reach scale.
  int passes = 1;
  int scale = 2;
  std::size_t device_limit = std::size_t{6144} << 20;  // bytes on the network's device
  Colors colors = Colors::kAuto;                       // of the torch engine, for RGB networks
  FlowBy flow_by = FlowBy::kAuto;                      // of the torch engine
};

// What runs on which plane:
// - a luma network: luma (or gray) through the network, chroma by spline36 with its siting kept,
//   alpha the same. An RGB picture's planes each go through the network, since each is as sharp as
//   luma.
// - an rgb network: the picture as red, green and blue, by its matrix and range, and back: in 16
// bits by zimg, or on the network's device by tensors, which is equal within a code value.
// With more than one pass only the first is told the codec strength; the later ones are told
// 0, since what they see is the network's own, cleaned output. Chroma goes to the final size in one
// step. Throws as read_network and the engines do, and kConfig for passes.
std::unique_ptr<Enhancer> make_network_enhancer(const EnhancerOptions& options);

}  // namespace streamvsr
