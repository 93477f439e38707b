#include "pipeline/live_progress.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

namespace streamvsr {

namespace {

constexpr const char* kName = "streamvsr-progress";
constexpr std::array<char, 8> kMagic = {'s', 'v', 's', 'r', 'l', 'i', 'v', '1'};
constexpr std::size_t kPage = 4096;
constexpr std::int64_t kMostFrames = std::int64_t{1} << 53;
// One is read while it is written once in a while.
constexpr int kLooks = 20;
// A process with more open files is not searched to the end.
constexpr int kMostFiles = 65536;

// The page's content. Every field is 8 bytes, so there is no padding.
struct Record {
  std::array<char, 8> magic = kMagic;
  std::uint64_t device = 0, inode = 0;  // of the `.part`
  std::int64_t frames_done = 0, frames_written = 0, frames_total = 0, resumed_frames = 0,
               segments_done = 0, finishing = 0;
  double seconds = 0.0;
  std::uint64_t checksum = 0;  // of all before it
};
static_assert(sizeof(Record) == 11 * 8 && sizeof(Record) <= kPage);

// FNV-1a: against half-written records, not against malice.
std::uint64_t checksum_of(const Record& record) {
  std::array<unsigned char, offsetof(Record, checksum)> bytes{};
  std::memcpy(bytes.data(), &record, bytes.size());
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const unsigned char byte : bytes) sum = (sum ^ byte) * 0x100000001b3ULL;
  return sum;
}

bool in_range(const Record& r) {
  for (const std::int64_t count :
       {r.frames_done, r.frames_written, r.frames_total, r.resumed_frames, r.segments_done})
    if (count < 0 || count > kMostFrames) return false;
  return (r.finishing == 0 || r.finishing == 1) && std::isfinite(r.seconds) && r.seconds >= 0.0;
}

// Nothing where the page is no run's, or never at rest.
std::optional<Record> read_record(const int descriptor) {
  for (int look = 0; look < kLooks; ++look) {
    Record record;
    if (::pread(descriptor, &record, sizeof record, 0) != static_cast<ssize_t>(sizeof record))
      return std::nullopt;
    if (record.magic != kMagic) return std::nullopt;
    if (record.checksum == checksum_of(record)) return record;
  }
  return std::nullopt;
}

}  // namespace

LivePage::LivePage(const File& part) {
  struct stat status{};
  if (::fstat(part.descriptor(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
  descriptor_ = ::memfd_create(kName, MFD_CLOEXEC);
  if (descriptor_ < 0 || ::ftruncate(descriptor_, kPage) != 0) return;
  void* const page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (page != MAP_FAILED) page_ = page;
}

LivePage::~LivePage() {
  if (page_ != nullptr) ::munmap(page_, kPage);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void LivePage::publish(const LiveState& state) {
  if (page_ == nullptr) return;
  Record record;
  record.device = device_;
  record.inode = inode_;
  record.frames_done = state.frames_done;
  record.frames_written = state.frames_written;
  record.frames_total = state.frames_total;
  record.resumed_frames = state.resumed_frames;
  record.segments_done = state.segments_done;
  record.finishing = state.finishing ? 1 : 0;
  record.seconds = state.seconds;
  record.checksum = checksum_of(record);
  std::memcpy(page_, &record, sizeof record);
}

std::optional<LiveState> read_live_state(const int process, const File& part) {
  namespace fs = std::filesystem;
  struct stat status{};
  if (process <= 0 || ::fstat(part.descriptor(), &status) != 0) return std::nullopt;
  const std::string link_begins = std::string("/memfd:") + kName;
  std::error_code error;
  int seen = 0;
  fs::directory_iterator files("/proc/" + std::to_string(process) + "/fd", error);
  for (; !error && files != fs::directory_iterator() && seen < kMostFiles;
       files.increment(error), ++seen) {
    std::error_code gone;
    const std::string target = fs::read_symlink(files->path(), gone).string();
    if (gone || !target.starts_with(link_begins)) continue;
    const int descriptor = ::open(files->path().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) continue;
    const std::optional<Record> record = read_record(descriptor);
    ::close(descriptor);
    if (!record || record->device != status.st_dev || record->inode != status.st_ino ||
        !in_range(*record))
      continue;
    return LiveState{record->frames_done,    record->frames_written, record->frames_total,
                     record->resumed_frames, record->segments_done,  record->finishing == 1,
                     record->seconds};
  }
  return std::nullopt;
}

}  // namespace streamvsr
