// The calls that the shim catches. They go to the kernel directly, one at a time, so the order of
// the log is the order of the effects.
#include "shim.h"

#include <dlfcn.h>
#include <sys/file.h>

#pragma GCC visibility push(default)

static int opened(const char *kind, const char *path, int flags, unsigned mode) {
  const char group = belongs(path);
  if (group == kNone) {
    const long fd = kernel_open(path, flags, mode);
    remember(fd, NULL);
    return (int)fd;
  }
  struct stat status;
  const bool changes = (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) != 0;
  const char wanted = changes || (flags & O_DIRECTORY) != 0 ? kOp : kLook;
  struct call c = {.group = group == kInput ? kInput : wanted,
                   .kind = kind, .fd = -1, .path = path, .offset = flags};
  c.created = (flags & O_CREAT) != 0 &&
              syscall(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) != 0;
  const long fd = start(&c) ? kernel_open(path, flags, mode) : -1;
  remember(fd, path);
  c.fd = (int)fd;
  return (int)finish(&c, fd);
}

#define OPEN(name)                                    \
  int name(const char *path, int flags, ...) {        \
    va_list list;                                     \
    va_start(list, flags);                            \
    const unsigned mode = va_arg(list, unsigned);     \
    va_end(list);                                     \
    return opened("open", path, flags, mode);         \
  }
OPEN(open)
OPEN(open64)
#define OPENAT(name)                                                            \
  int name(int at, const char *path, int flags, ...) {                          \
    va_list list;                                                               \
    va_start(list, flags);                                                      \
    const unsigned mode = va_arg(list, unsigned);                               \
    va_end(list);                                                               \
    if (at == AT_FDCWD || path[0] == '/') return opened("open", path, flags, mode); \
    const long fd = syscall(SYS_openat, at, path, flags, mode);                 \
    remember(fd, NULL);                                                         \
    return (int)fd;                                                             \
  }
OPENAT(openat)
OPENAT(openat64)
int __open_2(const char *path, int flags) { return opened("open", path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened("open", path, flags, 0); }

static FILE *stream(const char *name, const char *path, const char *mode) {
  FILE *(*const next)(const char *, const char *) =
      (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, name);
  const char group = belongs(path);
  if (group == kNone) return next(path, mode);
  const bool changes = strpbrk(mode, "wa+") != NULL;
  struct call c = {.group = group == kInput ? kInput : changes ? kOp : kLook,
                   .kind = "fopen", .fd = -1, .path = path};
  FILE *const file = start(&c) ? next(path, mode) : NULL;
  if (file != NULL) remember(c.fd = fileno(file), path);
  finish(&c, c.fd);
  return file;
}
FILE *fopen(const char *path, const char *mode) { return stream("fopen", path, mode); }
FILE *fopen64(const char *path, const char *mode) { return stream("fopen64", path, mode); }
int fclose(FILE *file) {
  forget(fileno(file));
  return ((int (*)(FILE *))dlsym(RTLD_NEXT, "fclose"))(file);
}
int close(int fd) {
  forget(fd);
  return (int)syscall(SYS_close, fd);
}

// A call on a descriptor of ours; `out` is the group of one that belongs to the directory.
#define ON_FD(out, name, ...)                                                       \
  {.group = files[fd].group == kInput ? kInput : (out), .kind = name, .fd = fd, \
   .path = files[fd].path, __VA_ARGS__}

static ssize_t writing(int fd, const void *data, size_t size, int64_t offset, bool at) {
  if (!known(fd))
    return at ? syscall(SYS_pwrite64, fd, data, size, offset) : syscall(SYS_write, fd, data, size);
  if (!at) offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
  struct call c = ON_FD(kOp, at ? "pwrite" : "write", .offset = offset, .length = (int64_t)size,
                        .data = data, .is_write = true);
  if (!start(&c)) return finish(&c, -1);
  return finish(&c, at ? syscall(SYS_pwrite64, fd, data, c.length, offset)
                       : syscall(SYS_write, fd, data, c.length));
}
ssize_t write(int fd, const void *data, size_t size) { return writing(fd, data, size, 0, false); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  return writing(fd, data, size, offset, true);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  return writing(fd, data, size, offset, true);
}

static ssize_t reading(int fd, void *data, size_t size, int64_t offset, bool at) {
  if (!known(fd))
    return at ? syscall(SYS_pread64, fd, data, size, offset) : syscall(SYS_read, fd, data, size);
  if (!at) offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
  struct call c = ON_FD(kLook, at ? "pread" : "read", .offset = offset, .length = (int64_t)size,
                        .data = data);
  if (!start(&c)) return finish(&c, -1);
  return finish(&c, at ? syscall(SYS_pread64, fd, data, c.length, offset)
                       : syscall(SYS_read, fd, data, c.length));
}
ssize_t read(int fd, void *data, size_t size) { return reading(fd, data, size, 0, false); }
ssize_t pread(int fd, void *data, size_t size, off_t offset) {
  return reading(fd, data, size, offset, true);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t offset) {
  return reading(fd, data, size, offset, true);
}

static int syncing(int fd, const char *kind, long number) {
  if (!known(fd)) return (int)syscall(number, fd);
  struct call c = ON_FD(kOp, kind);
  return (int)finish(&c, !start(&c) ? -1 : no_sync ? 0 : syscall(number, fd));
}
int fsync(int fd) { return syncing(fd, "fsync", SYS_fsync); }
int fdatasync(int fd) { return syncing(fd, "fdatasync", SYS_fdatasync); }

int ftruncate(int fd, off_t size) {
  if (!known(fd)) return (int)syscall(SYS_ftruncate, fd, size);
  struct call c = ON_FD(kOp, "ftruncate", .length = size);
  return (int)finish(&c, start(&c) ? syscall(SYS_ftruncate, fd, size) : -1);
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int flock(int fd, int operation) {
  if (!known(fd)) return (int)syscall(SYS_flock, fd, operation);
  struct call c = ON_FD(kOp, "flock", .offset = operation);
  return (int)finish(&c, start(&c) ? syscall(SYS_flock, fd, operation) : -1);
}

#define ON_NAMES(name, from, to) {.group = kOp, .kind = name, .fd = -1, .path = from, .other = to}
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  if (belongs(from) == kNone && belongs(to) == kNone)
    return (int)syscall(SYS_renameat2, from_at, from, to_at, to, flags);
  struct call c = ON_NAMES(flags != 0 ? "renameat2" : "rename", from, to);
  return (int)finish(
      &c, start(&c) ? syscall(SYS_renameat2, from_at, from, to_at, to, flags) : -1);
}
int rename(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int link(const char *from, const char *to) {
  if (belongs(to) == kNone) return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
  struct call c = ON_NAMES("link", from, to);
  return (int)finish(&c, start(&c) ? syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0) : -1);
}
int unlink(const char *path) {
  if (belongs(path) == kNone) return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  struct call c = ON_NAMES("unlink", path, NULL);
  return (int)finish(&c, start(&c) ? syscall(SYS_unlinkat, AT_FDCWD, path, 0) : -1);
}

static int looking(const char *kind, const char *path, struct stat *status, int flags) {
  if (belongs(path) == kNone) return (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, flags);
  struct call c = {.group = kLook, .kind = kind, .fd = -1, .path = path};
  return (int)finish(
      &c, start(&c) ? syscall(SYS_newfstatat, AT_FDCWD, path, status, flags) : -1);
}
int stat(const char *path, struct stat *status) { return looking("stat", path, status, 0); }
int stat64(const char *path, struct stat64 *status) {
  return looking("stat", path, (struct stat *)status, 0);
}
int lstat(const char *path, struct stat *status) {
  return looking("lstat", path, status, AT_SYMLINK_NOFOLLOW);
}
int lstat64(const char *path, struct stat64 *status) {
  return looking("lstat", path, (struct stat *)status, AT_SYMLINK_NOFOLLOW);
}
int fstat(int fd, struct stat *status) {
  if (!known(fd)) return (int)syscall(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH);
  struct call c = {.group = kLook, .kind = "fstat", .fd = fd, .path = files[fd].path};
  if (!start(&c)) return (int)finish(&c, -1);
  return (int)finish(&c, syscall(SYS_newfstatat, fd, "", status, AT_EMPTY_PATH));
}
int fstat64(int fd, struct stat64 *status) { return fstat(fd, (struct stat *)status); }
int access(const char *path, int mode) {
  if (belongs(path) == kNone) return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
  struct call c = {.group = kLook, .kind = "access", .fd = -1, .path = path};
  return (int)finish(&c, start(&c) ? syscall(SYS_faccessat, AT_FDCWD, path, mode) : -1);
}
