#include "pipeline/remains.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "pipeline/checkpoint_checks.h"

namespace streamvsr {

namespace {

[[noreturn]] void refuse(const std::string& path) {
  throw Error(ErrorKind::kOutputExists,
              "'" + path +
                  "' is in the way and is not the unfinished output of an earlier run; move it "
                  "away, or give another output",
              path, EEXIST);
}

[[noreturn]] void busy(const std::string& output, const std::string& part, const int owner) {
  std::string who;
  if (owner > 0) who = " (pid " + std::to_string(owner) + ")";
  // A lock lives on in children that were forked without a program of their own.
  if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH)
    who = " (a child of pid " + std::to_string(owner) + ", which is gone)";
  throw Error(ErrorKind::kBusy,
              "another process" + who + " is writing '" + output + "' (it holds '" + part +
                  "'); wait for its end, or give another output",
              part, EBUSY);
}

// Under the lock: whether the name still leads to the file that was opened.
bool still_named(const File& file) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(file.descriptor(), &opened) == 0 && ::lstat(file.path().c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

std::string joined(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += (text.empty() ? "" : "; ") + sentence;
  return text;
}

constexpr const char* kStartOver = "resume=False (--resume no) starts over";

[[noreturn]] void cannot(const Remains& remains, const std::string& why, const std::string& way) {
  throw Error(
      ErrorKind::kResume,
      "the interrupted run on '" + remains.output + "' cannot be gone on with: " + why + ". " + way,
      remains.output);
}

void check_same_job(const JobPlan& plan, const Remains& remains) {
  const Checkpoint& c = *remains.checkpoint;
  const std::string done = "; " + std::to_string(c.source.delivered) + " of about " +
                           std::to_string(c.frames_total) + " frames are done";
  if (const auto other = differences(c.identity.input, plan.identity.input); !other.empty())
    cannot(remains, "it is about another input: " + joined(other) + done,
           std::string("Give the same input to go on, or another output; ") + kStartOver);
  if (const auto other = differences(c.identity.job, plan.identity.job); !other.empty())
    cannot(remains, joined(other) + done,
           std::string("Give the same parameters to go on; ") + kStartOver);
  if (c.stage == Checkpoint::Stage::kCommitted) return;
  const auto other = differences(c.identity.environment, plan.identity.environment);
  if (other.empty() && plan_hash(plan) != c.plan_hash)
    cannot(remains, "its plan of times and segments differs" + done, kStartOver);
  if (other.empty()) return;
  const auto headers = [](const Identity& i) { return i.environment.at("encoder's headers"); };
  if (plan_hash(plan) != c.plan_hash || !c.identity.environment.contains("encoder's headers") ||
      headers(c.identity) != headers(plan.identity))
    cannot(remains, joined(other) + done, kStartOver);
  // Finishing computes nothing that could come out otherwise.
  if (c.stage == Checkpoint::Stage::kRunning && plan.config.resume != ResumeMode::kFrames)
    cannot(
        remains,
        "the file would not be, byte for byte, that of one uninterrupted run: " + joined(other) +
            done,
        std::string("resume=\"frames\" (--resume frames) goes on all the same: as many frames, at "
                    "the same times; ") +
            kStartOver);
}

}  // namespace

namespace {

// One look, without the lock: what it finds may be changing. foreign: a name that no run of ours
// left.
Remains look(const std::string& output, std::string& foreign) {
  Remains remains;
  remains.output = output;
  const std::string part = part_path(output);
  const std::string checkpoint = checkpoint_path(output);
  struct stat status{};
  if (is_there(checkpoint, status)) {
    if (!S_ISREG(status.st_mode)) foreign = checkpoint;
    const std::string text = S_ISREG(status.st_mode) ? sealed_text(checkpoint) : std::string();
    try {
      remains.checkpoint = checkpoint_from_json(text, checkpoint);
    } catch (const Error& error) {
      if (!names_kind(Checkpoint::kKind, text)) foreign = checkpoint;
      remains.unreadable = error.what();
    }
  }
  if (is_there(part, status)) {
    // A run that was killed before its first checkpoint left nothing in its `.part`.
    if (!S_ISREG(status.st_mode) ||
        (!remains.checkpoint && remains.unreadable.empty() && status.st_size > 0))
      foreign = part;
    remains.has_part = true;
    remains.part_bytes = status.st_size;
  }
  const std::string temporary = checkpoint + ".tmp";
  if (is_there(temporary, status)) {
    // A power loss may leave anything in it; then what lies beside it tells whose it is.
    const bool beside = remains.checkpoint || (remains.has_part && remains.part_bytes == 0);
    if (!S_ISREG(status.st_mode) || static_cast<std::size_t>(status.st_size) > kMostSealedBytes ||
        (!beside && !may_be_torn(Checkpoint::kKind, sealed_text(temporary))))
      foreign = temporary;
    remains.has_temporary = true;
  }
  if (is_there(output, status) && S_ISREG(status.st_mode)) remains.output_bytes = status.st_size;
  return remains;
}

}  // namespace

Remains find_remains(const std::string& output) {
  // A run that begins or ends between two looks at its files makes them seem strange once.
  constexpr int kLooks = 5;
  for (int attempt = 1;; ++attempt) {
    std::string foreign;
    try {
      Remains remains = look(output, foreign);
      if (foreign.empty()) return remains;
    } catch (const Error& error) {
      if (error.code() != ENOENT || attempt == kLooks) throw;
      continue;
    }
    if (attempt == kLooks) refuse(foreign);
  }
}

std::optional<Checkpoint> choose_start(const JobPlan& plan, const Remains& remains) {
  const ResumeMode mode = plan.config.resume;
  if (mode == ResumeMode::kNever) return std::nullopt;
  if (!remains.unreadable.empty()) cannot(remains, remains.unreadable, kStartOver);
  const std::optional<Checkpoint>& c = remains.checkpoint;
  if (remains.finished()) {
    check_same_job(plan, remains);
    return c;
  }
  if (!remains.unfinished()) {
    if (mode == ResumeMode::kDemand)
      throw Error(ErrorKind::kResume,
                  "there is nothing to go on with: no unfinished run on '" + remains.output +
                      "' left a whole segment",
                  remains.output);
    return std::nullopt;
  }
  check_same_job(plan, remains);
  if (const std::string flaw = flaw_for(plan, *c); !flaw.empty())
    cannot(remains, "its checkpoint does not fit the job: " + flaw, kStartOver);
  if (!remains.has_part) cannot(remains, "'" + part_path(remains.output) + "' is gone", kStartOver);
  if (remains.part_bytes < std::max(c->part.bytes, c->final_bytes))
    cannot(remains,
           "'" + part_path(remains.output) + "' has " + std::to_string(remains.part_bytes) +
               " bytes, and " + std::to_string(std::max(c->part.bytes, c->final_bytes)) +
               " had been written",
           kStartOver);
  if (c->stage != Checkpoint::Stage::kRunning) return c;  // finishing patches the beginning
  const File part(part_path(remains.output), O_RDONLY | O_NOFOLLOW);
  if (part_tail(part, c->part.bytes) != c->part_tail)
    cannot(remains, "'" + part.path() + "' is not the file the checkpoint is about", kStartOver);
  return c;
}

namespace {

// Under the lock on part. It goes last, since its name is what the lock guards, and empty, since
// without a checkpoint only an empty one is known as ours.
void remove_both(File& part, const std::string& output) {
  part.truncate(0);
  remove_file(checkpoint_path(output) + ".tmp");
  remove_file(checkpoint_path(output));
  remove_file(part.path());
}

}  // namespace

PartFile::PartFile(const std::string& output) : output_(output) {
  find_remains(output);  // refuses what is not ours before it is opened for writing
  struct stat status{};
  const bool made = !is_there(part_path(output), status);
  file_ = File(part_path(output), O_CREAT | O_RDWR | O_NOFOLLOW);
  bool locked = false;
  try {
    locked = file_.try_lock();
  } catch (const Error&) {  // a file system without locks
    if (made) remove_file(file_.path());
    throw;
  }
  if (!locked) busy(output, file_.path(), file_.lock_owner());
  // Another run may have finished, and renamed the file, between the opening and the lock.
  if (!still_named(file_)) busy(output, file_.path(), 0);
  remains_ = find_remains(output);
  remove_file(checkpoint_path(output) + ".tmp");
  owned_ = !remains_.checkpoint && remains_.unreadable.empty();  // else its fate is to be decided
}

PartFile::~PartFile() {
  try {
    // An empty file serves nobody: it was made for the lock alone.
    if (!owned_ && !committed_ && file_.size() == 0) remove_file(file_.path());
    if (!owned_) return;
    remove_both(file_, output_);
  } catch (const Error&) {  // NOLINT: what stays is empty, or still has its checkpoint
  }
}

void PartFile::start_over() {
  owned_ = true;
  file_.truncate(0);
}

void PartFile::keep(const std::int64_t bytes) noexcept {
  owned_ = false;
  try {
    if (bytes >= 0) file_.truncate(bytes);
    remove_file(checkpoint_path(output_) + ".tmp");
  } catch (...) {  // NOLINT: the disk, or no memory for a name: the next run does both
  }
}

void PartFile::commit(const bool overwrite) {
  rename_file(file_.path(), output_, overwrite);
  owned_ = false;
  committed_ = true;
  // The output is whole and in its place: what fails from here on is no failure of the job.
  try {
    sync_directory(directory_of(output_));
  } catch (const Error&) {  // NOLINT: then a power loss may bring the `.part` back, complete
  }
  forget_checkpoint(output_);
}

std::vector<std::string> remove_remains(const std::string& output) {
  std::vector<std::string> removed;
  const Remains remains = find_remains(output);
  if (!remains.any()) return removed;
  for (const std::string& path :
       {part_path(output), checkpoint_path(output) + ".tmp", checkpoint_path(output)}) {
    struct stat status{};
    if (::lstat(path.c_str(), &status) == 0) removed.push_back(path);
  }
  PartFile part(output);  // made where there is none: its lock keeps others out
  part.remove();
  sync_directory(directory_of(output));
  return removed;
}

int writer_of(const std::string& output) {
  struct stat status{};
  if (::lstat(part_path(output).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return 0;
  try {
    File file(part_path(output), O_RDONLY | O_NOFOLLOW);
    // Trying the lock would, for that moment, be in the way of a run that begins: the kernel's list
    // is asked first, and the lock confirms it (the list names files by number alone).
    const int owner = file.lock_owner();
    return owner == 0 || file.try_lock() ? 0 : owner;
  } catch (const Error& error) {
    if (error.code() == ENOENT) return 0;  // it was finished this moment
    throw;
  }
}

std::optional<LiveState> live_state_of(const std::string& output, const int writer) {
  if (writer <= 0) return std::nullopt;
  try {
    return read_live_state(writer, File(part_path(output), O_RDONLY | O_NOFOLLOW));
  } catch (const Error&) {  // NOLINT: it was finished this moment
    return std::nullopt;
  }
}

void refuse_busy(const std::string& output) {
  if (const int owner = writer_of(output); owner != 0) busy(output, part_path(output), owner);
}

void refuse_existing(const std::string& output) {
  struct stat status{};
  // A link counts as being there even when what it points to is not.
  if (is_there(output, status))
    throw Error(ErrorKind::kOutputExists,
                "the output '" + output +
                    "' exists already; pass overwrite=True (--overwrite) to replace it",
                output, EEXIST);
}

void forget_checkpoint(const std::string& output) {
  try {
    const std::string path = checkpoint_path(output);
    if (checkpoint_from_json(sealed_text(path), path).stage != Checkpoint::Stage::kCommitted)
      return;
    remove_file(path);
    sync_directory(directory_of(output));
  } catch (const Error&) {  // NOLINT: the output is in its place; the next run removes it
  }
}

}  // namespace streamvsr
