// An LD_PRELOAD library that counts, logs and breaks the file calls of one process.
//
//   FAULTS_DIR       calls on paths in this directory are counted, and on the directory itself
//   FAULTS_INPUT     the file whose reads form a group of their own
//   FAULTS_LOG       where every counted call is written (outside of FAULTS_DIR)
//   FAULTS_LOG_DATA  "1": with the bytes of every write
//   FAULTS_NO_SYNC   "1": fsync and fdatasync do nothing (what durability costs)
//   FAULTS_PLAN      what goes wrong: entries "GROUP INDEX[+] ACTION [ARGUMENT]" joined by ';'
//
// Groups, each counted from 1: "op" changes or makes durable what lies in the directory, or opens
// it for that; "look" reads there; "input" opens and reads the input. INDEX+ means from there on.
// Actions:
//
//   kill-before, kill-after   SIGKILL around the call
//   kill-torn                 SIGKILL after half of a write, up to the end of a sector
//   errno E                   the call fails; with INDEX+ only writes do: a disk that stays full
//   short                     half of a read or write is done
//   sleep MS                  a slow disk
//   gate PATH                 makes PATH.reached, waits for PATH.go
//   truncate N, change N      the input is cut to N bytes; 64 of its bytes at N change
//
#include "shim.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/uio.h>
#include <time.h>

enum { kFaults = 16, kSector = 512 };
static const char *const kGroupNames[] = {"", "op", "look", "input"};

struct fault {
  int group;
  long index;
  bool from;
  char action[16];
  char argument[kPath];
};

// As the log holds it, followed by both paths and the data; shim.py reads it.
struct record {
  uint32_t magic, size, check;  // size: of all that follows `check`
  int32_t group, index, fd, error, created;
  int64_t offset, length, result;
  char kind[16];
  uint32_t path_size, other_size, data_size, pad;
};

static char directory[kPath], input[kPath];
static size_t directory_size;
static struct fault faults[kFaults];
static int fault_count, log_fd = -1;
static bool log_data;
bool no_sync;
static long counts[kGroups];
struct file files[kDescriptors];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

long kernel_open(const char *path, int flags, unsigned mode) {
  return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static void copy(char *to, const char *from) {
  if (from != NULL) snprintf(to, kPath, "%s", from);
}

static _Noreturn void refuse(const char *why) {
  fprintf(stderr, "fault shim: %s\n", why);
  _exit(99);
}

__attribute__((constructor)) static void begin(void) {
  copy(directory, getenv("FAULTS_DIR"));
  copy(input, getenv("FAULTS_INPUT"));
  log_data = getenv("FAULTS_LOG_DATA") != NULL;
  no_sync = getenv("FAULTS_NO_SYNC") != NULL;
  if (getenv("FAULTS_LOG") != NULL) {
    const long fd = kernel_open(getenv("FAULTS_LOG"), O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC,
                                0666);
    log_fd = fcntl((int)fd, F_DUPFD_CLOEXEC, kDescriptors);  // out of everybody's way
    if (log_fd < 0) log_fd = (int)fd;
    if (log_fd < 0) refuse("no log");
  }
  char plan[8 * kPath] = "";
  if (getenv("FAULTS_PLAN") != NULL) snprintf(plan, sizeof plan, "%s", getenv("FAULTS_PLAN"));
  for (char *rest = plan, *entry; (entry = strsep(&rest, ";")) != NULL;) {
    char group[16] = "", index[16] = "";
    struct fault f = {0};
    if (sscanf(entry, " %15s %15s %15s %1023[^;]", group, index, f.action, f.argument) < 3) {
      if (*entry != '\0') refuse("FAULTS_PLAN is malformed");
      continue;
    }
    for (int g = kOp; g < kGroups; ++g)
      if (strcmp(group, kGroupNames[g]) == 0) f.group = g;
    f.index = atol(index);
    f.from = strchr(index, '+') != NULL;
    if (f.group == kNone || f.index < 1 || fault_count == kFaults) refuse("FAULTS_PLAN is wrong");
    faults[fault_count++] = f;
  }
  directory_size = strlen(directory);  // last: from here on calls are counted
}

// --- which calls count ---------------------------------------------------------------------------

char belongs(const char *path) {
  if (directory_size == 0 || path == NULL) return kNone;
  if (input[0] != '\0' && strcmp(path, input) == 0) return kInput;
  if (strncmp(path, directory, directory_size) != 0) return kNone;
  return path[directory_size] == '/' || path[directory_size] == '\0' ? kOp : kNone;
}

bool known(int fd) { return fd >= 0 && fd < kDescriptors && files[fd].group != kNone; }

void remember(long fd, const char *path) {
  if (fd < 0 || fd >= kDescriptors) return;
  files[fd].group = belongs(path);
  if (files[fd].group != kNone) copy(files[fd].path, path);
}

void forget(int fd) {
  if (fd >= 0 && fd < kDescriptors) files[fd].group = kNone;
}

// --- what goes wrong -----------------------------------------------------------------------------

static _Noreturn void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

static void wait_ms(long ms) {
  struct timespec left = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

static void gate(const char *path) {
  char name[kPath + 16];
  snprintf(name, sizeof name, "%s.reached", path);
  syscall(SYS_close, kernel_open(name, O_CREAT | O_WRONLY, 0666));
  snprintf(name, sizeof name, "%s.go", path);
  while (syscall(SYS_faccessat, AT_FDCWD, name, F_OK) != 0) wait_ms(1);
}

static void change_input(long offset) {
  static const char bytes[64] = {0x5a, 0x17, 0x2b, 0x00, 0x01};
  const long fd = kernel_open(input, O_WRONLY, 0);
  if (syscall(SYS_pwrite64, fd, bytes, sizeof bytes, offset) < 0) refuse("cannot change the input");
  syscall(SYS_close, fd);
}

bool start(struct call *c) {
  pthread_mutex_lock(&lock);
  const long index = ++counts[c->group];
  bool go = true;
  for (int i = 0; i < fault_count; ++i) {
    const struct fault *f = &faults[i];
    if (f->group != c->group || (f->from ? index < f->index : index != f->index)) continue;
    const long number = atol(f->argument);
    if (strcmp(f->action, "kill-before") == 0) {
      die();
    } else if (strcmp(f->action, "kill-after") == 0) {
      c->kill_after = true;
    } else if (strcmp(f->action, "kill-torn") == 0) {
      c->kill_after = true;
      if (c->is_write) {
        const int64_t end = c->offset + c->length;
        int64_t cut = (c->offset + c->length / 2) / kSector * kSector;
        if (cut <= c->offset) cut += kSector;
        if (cut <= c->offset || cut >= end) die();  // within one sector: not at all
        c->length = cut - c->offset;
      }
    } else if (strcmp(f->action, "short") == 0) {
      if (c->length > 1 && c->data != NULL) c->length = c->length / 2;
    } else if (strcmp(f->action, "errno") == 0) {
      if (f->from && !c->is_write) continue;
      errno = (int)number;
      go = false;
    } else if (strcmp(f->action, "sleep") == 0) {
      wait_ms(number);
    } else if (strcmp(f->action, "gate") == 0) {
      gate(f->argument);
    } else if (strcmp(f->action, "truncate") == 0) {
      if (syscall(SYS_truncate, input, number) != 0) refuse("cannot cut the input");
    } else if (strcmp(f->action, "change") == 0) {
      change_input(number);
    } else {
      refuse("FAULTS_PLAN names an unknown action");
    }
  }
  return go;
}

// Adler-32, as zlib has it.
static uint32_t add_to_check(uint32_t check, const void *data, size_t size) {
  uint32_t a = check & 0xffff, b = check >> 16;
  for (size_t i = 0; i < size; ++i) {
    a = (a + ((const unsigned char *)data)[i]) % 65521;
    b = (b + a) % 65521;
  }
  return b << 16 | a;
}

static void write_log(const struct call *c, long result, int error) {
  struct record r = {.magic = 0x464c5431, .group = c->group, .index = (int32_t)counts[c->group]};
  r.fd = c->fd, r.error = result < 0 ? error : 0, r.created = c->created;
  r.offset = c->offset, r.length = c->length, r.result = result;
  snprintf(r.kind, sizeof r.kind, "%s", c->kind);
  r.path_size = (uint32_t)strlen(c->path);
  r.other_size = c->other != NULL ? (uint32_t)strlen(c->other) : 0;
  r.data_size = log_data && c->is_write && result > 0 ? (uint32_t)result : 0;
  struct iovec parts[] = {{&r, sizeof r},
                          {(void *)c->path, r.path_size},
                          {(void *)c->other, r.other_size},
                          {(void *)c->data, r.data_size}};
  const size_t skip = offsetof(struct record, group);
  r.size = (uint32_t)(sizeof r - skip + r.path_size + r.other_size + r.data_size);
  uint32_t check = add_to_check(1, (char *)&r + skip, sizeof r - skip);
  for (int i = 1; i < 4; ++i) check = add_to_check(check, parts[i].iov_base, parts[i].iov_len);
  r.check = check;
  const long wrote = syscall(SYS_writev, log_fd, parts, 4);
  if (wrote != (long)(r.size + skip)) refuse("the log is not written whole");
}

long finish(struct call *c, long result) {
  const int error = errno;
  if (log_fd >= 0) write_log(c, result, error);
  if (c->kill_after) die();
  pthread_mutex_unlock(&lock);
  errno = error;
  return result;
}
