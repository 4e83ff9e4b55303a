/* For programs under valgrind 3.19, which writes to the mask it is given here: libdispatch keeps its mask in memory that
 * cannot be written, and the run would end. Preloaded, this hands over a copy. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int sigsuspend(const sigset_t *mask) {
  sigset_t copy = *mask;
  return (int)syscall(SYS_rt_sigsuspend, &copy, 8);
}
