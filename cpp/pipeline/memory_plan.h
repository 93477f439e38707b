// Where the memory of a job goes: docs/memory.md.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/machine.h"
#include "media/decoder_memory.h"
#include "media/encoder.h"

namespace streamvsr {

// What a plan of the memory decided that the output's bytes depend on. A checkpoint keeps it, and a
// run that resumes takes it from there, however much memory is free by then.
struct MemoryChoice {
  static constexpr int kMostThreads = 128;
  static constexpr int kMostLookahead = 1000;
  static constexpr std::size_t kMostBytes = std::size_t{1} << 40;

  int encoder_threads = 1;
  int lookahead = 0;          // EncoderSettings::lookahead
  std::size_t rehearsal = 0;  // MemoryPlan::rehearsal
  std::size_t draft = 0;      // MemoryPlan::draft

  // Whether every value lies in the range that a plan can choose from.
  bool valid() const {
    return encoder_threads >= 1 && encoder_threads <= kMostThreads && lookahead >= 0 &&
           lookahead <= kMostLookahead && rehearsal <= kMostBytes && draft <= kMostBytes;
  }
  bool operator==(const MemoryChoice&) const = default;
};

// Bytes, at most; `source` and `enhanced` get what the rest leaves of the limit.
struct MemoryPlan {
  std::size_t limit = 0;      // that used() stays within: max_memory_mb, or what the job needs
  std::size_t most = 0;       // that it may grow to where pictures grow: limit, or what is free
  std::size_t decoder = 0;    // pictures and packets inside it
  std::size_t encoder = 0;    // pictures and packets inside it
  std::size_t held = 0;       // of the packets below, those that wait for their segment's end
  std::size_t rehearsal = 0;  // pictures in their place, before a segment's first packet
  std::size_t draft = 0;      // of the packets below, those of a draft; 0: none is made
  std::size_t packets = 0;    // between encoder, source and file
  std::size_t fixed = 0;      // beside all these: tables, stacks, what the allocator keeps
  std::size_t source = 0;     // pictures from the decoder on until they are enhanced
  std::size_t enhanced = 0;   // pictures from there until the encoder took them
  std::size_t workspace = 0;  // of the network, beside the limit
  std::size_t beside = 0;     // what all but the decoder would take with nothing lowered
  std::string change;         // what was lowered to stay within it, for people; empty: nothing

  std::size_t used() const { return decoder + encoder + packets + fixed + source + enhanced; }
};

// What a plan of the memory must know.
struct MemoryNeeds {
  std::size_t limit = 0;   // bytes, max_memory_mb; 0: what the job needs, within what is free
  std::size_t frames = 0;  // bytes, of `source` and `enhanced` together; 0: no limit of their own
  MachineFacts machine;
  DecoderLoad decoder;
  std::size_t source_picture = 0;    // bytes, as handed out by the decoder
  std::size_t enhanced_picture = 0;  // bytes
  std::size_t encoded_picture = 0;   // bytes, where it is converted for the encoder; else 0
  std::size_t workspace = 0;         // bytes, of the enhancer
  int batch = 1;                     // pictures that the enhancer likes to have at once
  int look_back = 0;                 // pictures that it is given again when a job goes on
  int fragment_frames = 1;
  bool copied_streams = false;
  std::size_t source_bytes = 0;   // of the file
  std::size_t held = 0;           // bytes of packets that wait for their segment's end; 0: none do
  std::size_t rehearsal = 0;      // bytes of pictures that it would be well to keep at its start
  std::size_t draft = 0;          // bytes of a draft's packets that it would be well to keep
  std::size_t draft_encoder = 0;  // bytes, of the draft's encoder
  bool decoder_threads_given = false;  // asked for by the user: not to be lowered
  bool encoder_threads_given = false;
};

// Shares the memory out. A limit that is given is kept: the encoder's look-ahead is lowered, then
// its threads, then the decoder's, until it suffices, and nothing that the user has asked for.
// Without one the limit is what the job needs with nothing lowered, at most half of what the
// machine has available. Throws kMemory where that does not suffice, with every remedy that does.
//
// kept: the choice of the run that began the job. It is taken as it is, and without a limit it is
// never refused. A limit that it does not fit into is planned for as if there were none.
//
// A pure function of its arguments.
MemoryPlan plan_memory(const MemoryNeeds& needs, EncoderSettings& encoder, int& decoder_threads,
                       const std::optional<MemoryChoice>& kept = std::nullopt);

// Of a plan and the encoder's settings that it left.
MemoryChoice memory_choice(const MemoryPlan& plan, const EncoderSettings& encoder);

// A fragment of the `.part` ends when it holds this many bytes of video, if not before by its time;
constexpr std::size_t kFragmentBytes = std::size_t{8} << 20;
// and at this many bytes of copied packets these are written first, as a fragment of their own.
constexpr std::size_t kCopiedBytes = std::size_t{4} << 20;

}  // namespace streamvsr
