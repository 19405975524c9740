/*
 * Lets the user-mode kernel of nfs-lab.sh run on processors with AMX. That kernel keeps a process's registers in 2696
 * bytes, which is all that AVX-512 takes; with AMX there are 11 KiB, and the host refuses to set fewer than all of them,
 * so the kernel dies at its first process. Loaded before libc, this sets all: what the kernel keeps, and behind it what is
 * there already. No process in there uses AMX: it would have to ask the host for it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Not on the stack: the kernel runs its threads on stacks of 16 KiB. */
static char registers[1 << 16];

long ptrace(enum __ptrace_request request, ...) {
  static long (*libc)(int, pid_t, void *, void *);
  if (!libc) libc = (long (*)(int, pid_t, void *, void *))dlsym(RTLD_NEXT, "ptrace");
  va_list args;
  va_start(args, request);
  pid_t pid = va_arg(args, pid_t);
  void *address = va_arg(args, void *);
  void *data = va_arg(args, void *);
  va_end(args);
  if ((request != PTRACE_GETREGSET && request != PTRACE_SETREGSET) || (long)address != NT_X86_XSTATE)
    return libc(request, pid, address, data);

  struct iovec all = {registers, sizeof registers}, *asked = data;
  if (libc(PTRACE_GETREGSET, pid, address, &all) < 0) return -1;
  if (asked->iov_len > all.iov_len) asked->iov_len = all.iov_len;
  if (request == PTRACE_GETREGSET) {
    memcpy(asked->iov_base, registers, asked->iov_len);
    return 0;
  }
  memcpy(registers, asked->iov_base, asked->iov_len);
  return libc(PTRACE_SETREGSET, pid, address, &all);
}
