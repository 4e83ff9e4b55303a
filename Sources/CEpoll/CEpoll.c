#define _GNU_SOURCE
#include "CEpoll.h"

#include <sys/eventfd.h>
#include <unistd.h>

static int result_of(int result) { return result < 0 ? -errno : result; }

int slu_epoll_create(void) { return result_of(epoll_create1(EPOLL_CLOEXEC)); }

static int add(int epoll, int descriptor, uint64_t token, uint32_t bits) {
  struct epoll_event event = {0};
  event.events = bits | EPOLLET;
  event.data.u64 = token;
  return result_of(epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event));
}

int slu_epoll_add_stream(int epoll, int descriptor, uint64_t token) {
  return add(epoll, descriptor, token, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

int slu_epoll_add_input(int epoll, int descriptor, uint64_t token) { return add(epoll, descriptor, token, EPOLLIN); }

int slu_event_descriptor(void) { return result_of(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

void slu_event_signal(int descriptor) {
  uint64_t one = 1;
  ssize_t written;
  do {
    written = write(descriptor, &one, sizeof one);
  } while (written < 0 && errno == EINTR);
}

int slu_stream_socket(int family) {
  return result_of(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int slu_accept(int descriptor, struct sockaddr_storage *address, socklen_t *length) {
  int result;
  do {
    result = accept4(descriptor, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (result < 0 && errno == EINTR);
  return result_of(result);
}

int slu_connect(int descriptor, const struct sockaddr *address, socklen_t length) {
  int result = connect(descriptor, address, length);
  // An interrupted connect goes on by itself.
  if (result < 0 && errno == EINTR) return -EINPROGRESS;
  return result_of(result);
}

int slu_listen(int descriptor, const struct sockaddr *address, socklen_t length, int backlog) {
  if (bind(descriptor, address, length) < 0) return -errno;
  return result_of(listen(descriptor, backlog));
}

int slu_set_option(int descriptor, int level, int name, int value) {
  return result_of(setsockopt(descriptor, level, name, &value, sizeof value));
}

int slu_get_option(int descriptor, int level, int name, int *value) {
  socklen_t length = sizeof *value;
  return result_of(getsockopt(descriptor, level, name, value, &length));
}

int slu_local_address(int descriptor, struct sockaddr_storage *address, socklen_t *length) {
  return result_of(getsockname(descriptor, (struct sockaddr *)address, length));
}

int slu_pending_error(int descriptor) {
  int error = 0;
  int result = slu_get_option(descriptor, SOL_SOCKET, SO_ERROR, &error);
  return result < 0 ? result : -error;
}

int slu_shut_down(int descriptor, int direction) { return result_of(shutdown(descriptor, direction)); }

void slu_close(int descriptor) { close(descriptor); }

int slu_thread_start(void *(*body)(void *), void *argument, const char *name) {
  pthread_t thread;
  int failure = pthread_create(&thread, NULL, body, argument);
  if (failure != 0) return -failure;
  pthread_setname_np(thread, name);
  pthread_detach(thread);
  return 0;
}
