// What the two halves of the shim share: shim_faults.c counts, breaks and logs a call, shim.c
// catches the calls. The comment at the top of shim_faults.c says how it is told what to do.
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { kNone, kOp, kLook, kInput, kGroups };
enum { kPath = 1024, kDescriptors = 1024 };

// One counted call; `length` is what is asked for and may be shortened by a fault.
struct call {
  int group;
  const char* kind;
  int fd;
  const char *path, *other;
  int64_t offset;  // of a read or write; the flags of an open
  int64_t length;
  const void* data;
  bool created;  // the open made the file
  bool is_write;
  bool kill_after;
};

// A descriptor of a file that is counted.
struct file {
  char group;
  char path[kPath];
};
extern struct file files[kDescriptors];
extern bool no_sync;

// kInput, kOp for what lies in the directory, or kNone.
char belongs(const char* path);
bool known(int fd);
void remember(long fd, const char* path);
void forget(int fd);

// Counts a call and lets its faults happen. False: it fails, with errno set.
bool start(struct call* c);
// Logs the call, returns its result with errno as it was.
long finish(struct call* c, long result);

long kernel_open(const char* path, int flags, unsigned mode);
