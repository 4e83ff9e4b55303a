// The system calls of the transport: each gives its result, or the negated errno. Interrupted calls are made again, but
// for waiting, which just ends.
#ifndef SLUICE_CEPOLL_H
#define SLUICE_CEPOLL_H

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SLU_READABLE 0x001u
#define SLU_WRITABLE 0x004u
#define SLU_ERROR 0x008u
#define SLU_HANGUP 0x010u
#define SLU_READ_HANGUP 0x2000u

int slu_epoll_create(void);
// Edge-triggered, for both directions: made once for the life of a connection.
int slu_epoll_add_stream(int epoll, int descriptor, uint64_t token);
// Edge-triggered, for input alone.
int slu_epoll_add_input(int epoll, int descriptor, uint64_t token);
int slu_event_descriptor(void);
void slu_event_signal(int descriptor);
// Non-blocking and closed on exec, as everything here.
int slu_stream_socket(int family);
int slu_accept(int descriptor, struct sockaddr_storage *address, socklen_t *length);
int slu_connect(int descriptor, const struct sockaddr *address, socklen_t length);
int slu_listen(int descriptor, const struct sockaddr *address, socklen_t length, int backlog);
int slu_set_option(int descriptor, int level, int name, int value);
int slu_get_option(int descriptor, int level, int name, int *value);
int slu_local_address(int descriptor, struct sockaddr_storage *address, socklen_t *length);
// The error of an asynchronous operation, negated; 0 if there is none.
int slu_pending_error(int descriptor);
int slu_shut_down(int descriptor, int direction);
void slu_close(int descriptor);
int slu_thread_start(void *(*body)(void *), void *argument, const char *name);

static inline uint64_t slu_thread_self(void) { return (uint64_t)pthread_self(); }

static inline int slu_epoll_wait(int epoll, struct epoll_event *events, int count, int milliseconds) {
  int result = epoll_wait(epoll, events, count, milliseconds);
  return result < 0 ? -errno : result;
}

static inline uint32_t slu_event_bits(const struct epoll_event *event) { return event->events; }
static inline uint64_t slu_event_token(const struct epoll_event *event) { return event->data.u64; }

static inline long slu_receive(int descriptor, void *bytes, unsigned long count) {
  ssize_t result;
  do {
    result = recv(descriptor, bytes, count, 0);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

static inline long slu_send(int descriptor, const void *bytes, unsigned long count) {
  ssize_t result;
  do {
    result = send(descriptor, bytes, count, MSG_NOSIGNAL);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

static inline long slu_send_vector(int descriptor, struct iovec *vectors, unsigned long count) {
  struct msghdr message = {0};
  message.msg_iov = vectors;
  message.msg_iovlen = count;
  ssize_t result;
  do {
    result = sendmsg(descriptor, &message, MSG_NOSIGNAL);
  } while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : result;
}

#endif
