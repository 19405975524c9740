/*
 * Preloaded into an app: counts the calls that change anything below some folders, over all of its threads, and at the
 * N-th of a kind dies before it, dies after it, fails it, or makes it and reports failure.
 *
 *   FILE_CALLS_BELOW  folders, separated by colons
 *   FILE_CALLS_NAME   counts only calls on paths that hold this text; may be left out
 *   FILE_CALLS_LOG    file that takes a line "kind" for each call
 *   FILE_CALLS_KIND, FILE_CALLS_AT, FILE_CALLS_MODE (die-before, die-after, fail, lie)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int count;

static int below(const char *path) {
  const char *folders = getenv("FILE_CALLS_BELOW");
  while (folders && *folders) {
    size_t length = strcspn(folders, ":");
    if (strncmp(path, folders, length) == 0 && path[length] == '/') return 1;
    folders += length + (folders[length] == ':');
  }
  return 0;
}

static void note(const char *kind) {
  static int (*open_file)(const char *, int, ...);
  const char *log = getenv("FILE_CALLS_LOG");
  if (!log) return;
  if (!open_file) open_file = dlsym(RTLD_NEXT, "open");
  int file = open_file(log, O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (file < 0) return;
  char line[32];
  int length = snprintf(line, sizeof line, "%s\n", kind);
  if (write(file, line, length) != length) abort();
  close(file);
}

/* What is to happen at this call: 'p' pass, 'b' die before, 'a' die after, 'f' fail, 'l' lie. */
static char fault_of(const char *kind, const char *path) {
  const char *name = getenv("FILE_CALLS_NAME");
  if (!below(path) || (name && !strstr(path, name))) return 'p';
  note(kind);
  const char *wanted = getenv("FILE_CALLS_KIND"), *at = getenv("FILE_CALLS_AT"), *mode = getenv("FILE_CALLS_MODE");
  if (!wanted || !at || !mode || strcmp(wanted, kind) != 0) return 'p';
  if (atomic_fetch_add(&count, 1) + 1 != atoi(at)) return 'p';
  if (strcmp(mode, "die-before") == 0) kill(getpid(), SIGKILL);
  return strcmp(mode, "die-after") == 0 ? 'a' : strcmp(mode, "fail") == 0 ? 'f' : 'l';
}

static int after(char fault, int result) {
  if (fault == 'a') kill(getpid(), SIGKILL);
  if (fault != 'l') return result;
  errno = EIO;
  return -1;
}

#define CALL(kind, path, call)                        \
  char fault = fault_of(kind, path);                  \
  if (fault == 'f') { errno = EIO; return -1; }       \
  return after(fault, call)
#define REAL(name, ...) static int (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

int rename(const char *from, const char *to) { REAL("rename", const char *, const char *); CALL("rename", from, real(from, to)); }
int link(const char *from, const char *to) { REAL("link", const char *, const char *); CALL("link", to, real(from, to)); }
int unlink(const char *path) { REAL("unlink", const char *); CALL("unlink", path, real(path)); }
int mkdir(const char *path, mode_t mode) { REAL("mkdir", const char *, mode_t); CALL("mkdir", path, real(path, mode)); }
int rmdir(const char *path) { REAL("rmdir", const char *); CALL("rmdir", path, real(path)); }

static int synced(const char *name, int file, int (*real)(int)) {
  char link_name[64], path[4096];
  snprintf(link_name, sizeof link_name, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link_name, path, sizeof path - 1);
  path[length > 0 ? length : 0] = 0;
  CALL(name, path, real(file));
}
int fdatasync(int file) { REAL("fdatasync", int); return synced("fdatasync", file, real); }
int fsync(int file) { REAL("fsync", int); return synced("fdatasync", file, real); }

/* A descriptor that a lie makes is lost to its caller, as on a reply that never came: it stays open. */
static int opened(const char *name, const char *path, int flags, mode_t mode) {
  int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
  if (!(flags & (O_WRONLY | O_RDWR | O_CREAT))) return real(path, flags, mode);
  CALL("open", path, real(path, flags, mode));
}
#define MODE va_list list; va_start(list, flags); mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0; va_end(list)
int open(const char *path, int flags, ...) { MODE; return opened("open", path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; return opened("open64", path, flags, mode); }
