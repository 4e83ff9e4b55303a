/* An HTTP/1.1 load generator for one core: as fast as possible, or at a constant rate.
 *
 * At a constant rate each request has an intended time (start + i / rate). When no connection is free at that time the
 * request is sent later, but its latency counts from the intended time: a peer that stalls cannot hide the requests
 * that should have been sent meanwhile (no "coordinated omission").
 *
 * Build: cc -O2 -o load load.c -lssl -lcrypto     Usage: load --help     Result: one JSON object on standard output.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;

enum { SUB_BITS = 6, SUBS = 1 << SUB_BITS, BUCKETS = 64 * SUBS };

static struct {
  int port, connections, idle, tls, close_each, expect, gate;
  double seconds, rate;
  u64 count;
  const char *method;
  size_t body;
  char headers[4096];
} opt = {.connections = 32, .seconds = 2, .method = "GET", .expect = 200};

/* What is sent: one text per target, the targets in turn. */
static char **requests;
static size_t *request_lengths;
static size_t request_count, next_request;

enum State { CLOSED, CONNECTING, HANDSHAKING, IDLE, SENDING, HEAD, BODY, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE };

struct Connection {
  int fd, state, wants_write, must_close;
  SSL *ssl;
  const char *out;
  size_t out_left;
  u64 intended;
  char head[8192];
  size_t head_length, line_length;
  u64 body_left;
};

static u64 histogram[BUCKETS], completed, failed, bytes_in, longest, reconnects;
static int epoll_fd;
static struct sockaddr_in address;
static SSL_CTX *tls_context;
static struct Connection **free_list;
static int free_count;
static char failure_text[256];

static u64 now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("load: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

static void record(u64 nanoseconds) {
  u64 value = nanoseconds / 100; /* tenths of a microsecond */
  if (nanoseconds > longest) longest = nanoseconds;
  int shift = value < SUBS ? 0 : 63 - __builtin_clzll(value) - SUB_BITS;
  u64 index = (u64)shift * SUBS + (value >> shift);
  if (index >= BUCKETS) index = BUCKETS - 1;
  histogram[index]++;
}

/* The latency in microseconds that a share of the requests did not exceed. */
static double percentile(double share) {
  u64 total = 0, seen = 0;
  for (int i = 0; i < BUCKETS; i++) total += histogram[i];
  u64 wanted = (u64)((double)total * share);
  if (wanted >= total && total) wanted = total - 1;
  for (int i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    if (seen > wanted) {
      /* Buckets of shift s begin at index s * SUBS + SUBS, except the first 2 * SUBS, which are exact. */
      u64 shift = i < 2 * SUBS ? 0 : (u64)i / SUBS - 1;
      u64 value = ((u64)i - shift * SUBS) << shift;
      return (double)(value + ((1ull << shift) >> 1)) / 10.0;
    }
  }
  return 0;
}

static void watch(struct Connection *c, int events, int operation) {
  struct epoll_event event = {.events = (uint32_t)events, .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

static void want_write(struct Connection *c, int wants) {
  if (c->wants_write == wants) return;
  c->wants_write = wants;
  watch(c, EPOLLIN | (wants ? EPOLLOUT : 0), EPOLL_CTL_MOD);
}

static void open_connection(struct Connection *c) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0) die("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->state = CONNECTING;
  c->must_close = 0;
  c->wants_write = 1;
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
    die("connect: %s", strerror(errno));
  watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
}

static void close_connection(struct Connection *c) {
  if (c->ssl) {
    SSL_set_quiet_shutdown(c->ssl, 1);
    SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    c->ssl = NULL;
  }
  /* Ephemeral ports must not run out in TIME_WAIT when each request has a connection of its own. */
  if (opt.close_each) {
    struct linger linger = {1, 0};
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  }
  close(c->fd);
  c->fd = -1;
  c->state = CLOSED;
}

static void start_request(struct Connection *c, u64 intended) {
  c->intended = intended;
  c->out = requests[next_request];
  c->out_left = request_lengths[next_request];
  next_request = next_request + 1 == request_count ? 0 : next_request + 1;
  c->head_length = 0;
}

static ssize_t connection_read(struct Connection *c, char *buffer, size_t size) {
  if (!c->ssl) return read(c->fd, buffer, size);
  int n = SSL_read(c->ssl, buffer, (int)size);
  if (n > 0) return n;
  int error = SSL_get_error(c->ssl, n);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
    errno = EAGAIN;
    return -1;
  }
  return error == SSL_ERROR_ZERO_RETURN ? 0 : (errno = errno ? errno : ECONNRESET, error == SSL_ERROR_SYSCALL ? 0 : -1);
}

static ssize_t connection_write(struct Connection *c, const char *buffer, size_t size) {
  if (!c->ssl) return send(c->fd, buffer, size, MSG_NOSIGNAL);
  int n = SSL_write(c->ssl, buffer, (int)size);
  if (n > 0) return n;
  int error = SSL_get_error(c->ssl, n);
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
  return -1;
}

static void fail(struct Connection *c, const char *why) {
  failed++;
  if (!failure_text[0]) snprintf(failure_text, sizeof failure_text, "%s", why);
  close_connection(c);
}

static void send_out(struct Connection *c) {
  while (c->out_left) {
    ssize_t n = connection_write(c, c->out, c->out_left);
    if (n < 0) {
      if (errno == EAGAIN) return want_write(c, 1);
      return fail(c, "cannot send");
    }
    c->out += n;
    c->out_left -= (size_t)n;
  }
  want_write(c, 0);
}

/* The head of a response: status, and how its body ends. */
static int read_head(struct Connection *c) {
  c->head[c->head_length] = 0;
  if (strncmp(c->head, "HTTP/1.1 ", 9) || atoi(c->head + 9) != opt.expect) return -1;
  c->state = UNTIL_CLOSE;
  for (char *line = strstr(c->head, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n")) {
    const char *field = line + 2;
    if (!strncasecmp(field, "content-length:", 15)) {
      c->body_left = strtoull(field + 15, NULL, 10);
      c->state = BODY;
    } else if (!strncasecmp(field, "transfer-encoding:", 18)) {
      c->state = CHUNK_SIZE;
      c->line_length = 0;
      c->body_left = 0;
    } else if (!strncasecmp(field, "connection: close", 17)) {
      c->must_close = 1;
    }
  }
  return 0;
}

/* Takes bytes; 1 when the response is complete, -1 when it is no response. */
static int consume(struct Connection *c, const char *bytes, size_t count) {
  size_t at = 0;
  if (c->state == HEAD) {
    size_t before = c->head_length;
    size_t room = sizeof c->head - 1 - before;
    size_t taken = count < room ? count : room;
    memcpy(c->head + before, bytes, taken);
    size_t from = before > 3 ? before - 3 : 0;
    char *end = memmem(c->head + from, before + taken - from, "\r\n\r\n", 4);
    if (!end) {
      c->head_length += taken;
      return taken == room ? -1 : 0;
    }
    c->head_length = (size_t)(end - c->head) + 4;
    at = c->head_length - before;
    if (read_head(c)) return -1;
    if (c->state == BODY && c->body_left == 0) return 1;
  }
  while (at < count) {
    size_t left = count - at;
    char byte = bytes[at];
    switch (c->state) {
      case BODY:
        if (left >= c->body_left) return 1;
        c->body_left -= left;
        return 0;
      case CHUNK_SIZE:
        at++;
        if (byte == '\n') {
          if (!c->line_length) return -1;
          c->state = c->body_left ? CHUNK_DATA : TRAILER;
          c->line_length = 0;
        } else if (isxdigit((unsigned char)byte)) {
          c->line_length++;
          c->body_left = c->body_left * 16 + (u64)(isdigit((unsigned char)byte) ? byte - '0' : (byte | 32) - 'a' + 10);
        }
        break;
      case CHUNK_DATA:
        if (left < c->body_left) {
          c->body_left -= left;
          return 0;
        }
        at += c->body_left;
        c->body_left = 0;
        c->state = CHUNK_END;
        break;
      case CHUNK_END:
        at++;
        if (byte == '\n') c->state = CHUNK_SIZE;
        break;
      case TRAILER:
        at++;
        if (byte == '\n') {
          if (!c->line_length) return 1;
          c->line_length = 0;
        } else if (byte != '\r') {
          c->line_length++;
        }
        break;
      default: return 0;
    }
  }
  return 0;
}

static void complete(struct Connection *c, u64 time) {
  completed++;
  record(time > c->intended ? time - c->intended : 0);
  if (opt.close_each || c->must_close) {
    close_connection(c);
    reconnects++;
    open_connection(c);
    return;
  }
  c->state = IDLE;
  free_list[free_count++] = c;
}

static void readable(struct Connection *c) {
  static char buffer[256 * 1024];
  for (;;) {
    ssize_t n = connection_read(c, buffer, sizeof buffer);
    if (n < 0) {
      if (errno == EAGAIN) return;
      if (c->state != IDLE) return fail(c, "the peer reset a connection");
      n = 0;
    }
    if (n == 0) {
      if (c->state == UNTIL_CLOSE) {
        complete(c, now());
        return;
      }
      if (c->state == IDLE) { /* An idle connection may be closed by the peer. */
        for (int i = 0; i < free_count; i++)
          if (free_list[i] == c) free_list[i] = free_list[--free_count];
        close_connection(c);
        reconnects++;
        open_connection(c);
        return;
      }
      return fail(c, "the peer closed a connection in a response");
    }
    bytes_in += (u64)n;
    if (c->state == SENDING) c->state = HEAD; /* An early answer. */
    int result = c->state == HEAD || c->state >= BODY ? consume(c, buffer, (size_t)n) : -1;
    if (result < 0) {
      c->head[c->head_length < 80 ? c->head_length : 80] = 0;
      char text[160];
      snprintf(text, sizeof text, "unexpected response: %.60s", c->head);
      for (char *p = text; *p; p++)
        if (*p < 32 || *p == '"' || *p == '\\') *p = ' ';
      return fail(c, text);
    }
    if (result) return complete(c, now());
    if (!c->ssl && (size_t)n < sizeof buffer) return;
  }
}

static void established(struct Connection *c) {
  want_write(c, 0);
  c->state = IDLE;
  free_list[free_count++] = c;
}

static void handshake(struct Connection *c) {
  int n = SSL_connect(c->ssl);
  if (n == 1) return established(c);
  int error = SSL_get_error(c->ssl, n);
  if (error == SSL_ERROR_WANT_READ) return want_write(c, 0);
  if (error == SSL_ERROR_WANT_WRITE) return want_write(c, 1);
  fail(c, "TLS handshake failed");
}

static void event(struct Connection *c, uint32_t events) {
  switch (c->state) {
    case CLOSED: return;
    case CONNECTING: {
      int error = 0;
      socklen_t length = sizeof error;
      getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
      if (error) return fail(c, strerror(error));
      if (!opt.tls) return established(c);
      c->ssl = SSL_new(tls_context);
      SSL_set_fd(c->ssl, c->fd);
      SSL_set_tlsext_host_name(c->ssl, "localhost");
      SSL_set_connect_state(c->ssl);
      c->state = HANDSHAKING;
      return handshake(c);
    }
    case HANDSHAKING: return handshake(c);
    default:
      if ((events & EPOLLOUT) && c->out_left) send_out(c);
      if (c->state != CLOSED && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) readable(c);
  }
}

static void add_request(const char *host, const char *path) {
  size_t size = strlen(path) + strlen(host) + strlen(opt.headers) + opt.body + 256;
  char *text = malloc(size);
  int length = snprintf(text, size, "%s %s HTTP/1.1\r\nHost: %s\r\n%s", opt.method, path, host, opt.headers);
  if (opt.body) length += snprintf(text + length, size - (size_t)length, "Content-Length: %zu\r\n", opt.body);
  if (opt.close_each) length += snprintf(text + length, size - (size_t)length, "Connection: close\r\n");
  length += snprintf(text + length, size - (size_t)length, "\r\n");
  memset(text + length, 'x', opt.body);
  requests = realloc(requests, (request_count + 1) * sizeof *requests);
  request_lengths = realloc(request_lengths, (request_count + 1) * sizeof *request_lengths);
  requests[request_count] = text;
  request_lengths[request_count++] = (size_t)length + opt.body;
}

/* Lines "host path". */
static void read_targets(const char *name) {
  FILE *file = fopen(name, "r");
  if (!file) die("cannot read %s", name);
  char line[4096], host[1024], path[2048];
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "%1023s %2047s", host, path) == 2) add_request(host, path);
  fclose(file);
}

static void usage(void) {
  puts("load --port N [--connections 32] [--seconds 2] [--count N] [--rate requests/s] [--idle N] [--tls] [--close]\n"
       "     [--method GET] [--body bytes] [--header 'Name: value']... [--path /] [--targets file] [--expect 200] [--gate]\n"
       "With --gate it connects, prints a line and waits for one before it sends.\n"
       "Without --rate each connection sends the next request as soon as the last is answered.");
  exit(0);
}

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"port", 1, 0, 'p'},   {"connections", 1, 0, 'c'}, {"seconds", 1, 0, 's'}, {"rate", 1, 0, 'r'},
      {"idle", 1, 0, 'i'},   {"tls", 0, 0, 't'},         {"close", 0, 0, 'x'},   {"method", 1, 0, 'm'},
      {"body", 1, 0, 'b'},   {"header", 1, 0, 'H'},      {"path", 1, 0, 'P'},    {"targets", 1, 0, 'T'},
      {"expect", 1, 0, 'e'}, {"gate", 0, 0, 'g'},   {"count", 1, 0, 'n'},     {"help", 0, 0, 'h'},        {0, 0, 0, 0}};
  const char *path = "/", *targets = NULL;
  for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (o) {
      case 'p': opt.port = atoi(optarg); break;
      case 'c': opt.connections = atoi(optarg); break;
      case 's': opt.seconds = atof(optarg); break;
      case 'r': opt.rate = atof(optarg); break;
      case 'i': opt.idle = atoi(optarg); break;
      case 't': opt.tls = 1; break;
      case 'x': opt.close_each = 1; break;
      case 'm': opt.method = optarg; break;
      case 'b': opt.body = (size_t)atol(optarg); break;
      case 'H': {
        size_t length = strlen(opt.headers);
        snprintf(opt.headers + length, sizeof opt.headers - length, "%s\r\n", optarg);
        break;
      }
      case 'P': path = optarg; break;
      case 'T': targets = optarg; break;
      case 'n': opt.count = strtoull(optarg, NULL, 10); break;
      case 'g': opt.gate = 1; break;
      case 'e': opt.expect = atoi(optarg); break;
      case 'h': usage(); break;
      default: return 2;
    }
  }
  if (!opt.port || opt.connections < 1) die("--port and at least one connection are needed");
  if (targets) read_targets(targets);
  else add_request("localhost", path);
  if (!request_count) die("no targets");

  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  prctl(PR_SET_TIMERSLACK, 1);
  if (opt.tls) {
    tls_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(tls_context, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(tls_context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(tls_context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)opt.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  int total = opt.connections;
  struct Connection *connections = calloc((size_t)total, sizeof *connections);
  free_list = calloc((size_t)total, sizeof *free_list);

  /* Idle connections are opened in groups and then left alone; each has had one answer. */
  for (int done = 0; done < opt.idle;) {
    int group[64], size = opt.idle - done < 64 ? opt.idle - done : 64;
    for (int i = 0; i < size; i++) {
      int fd = group[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die("idle connection: %s", strerror(errno));
      struct timeval patience = {5, 0};
      setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      if (send(fd, requests[0], request_lengths[0], MSG_NOSIGNAL) < 0) die("idle connection: %s", strerror(errno));
    }
    char answer[8192];
    for (int i = 0; i < size; i++)
      if (read(group[i], answer, sizeof answer) <= 0) die("idle connection %d got no answer", done + i);
    done += size;
  }
  for (int i = 0; i < total; i++) open_connection(&connections[i]);
  struct epoll_event events[256];
  u64 deadline = now() + 10000000000ull;
  while (free_count < total) {
    int n = epoll_wait(epoll_fd, events, 256, 1000);
    for (int i = 0; i < n; i++) event(events[i].data.ptr, events[i].events);
    if (failed || now() > deadline) die("cannot connect: %s", failure_text[0] ? failure_text : "timeout");
  }

  if (opt.gate) { /* The caller reads the peer's accounts now. */
    puts("ready");
    fflush(stdout);
    getchar();
  }
  u64 start = now(), end = start + (u64)(opt.seconds * 1e9), sent = 0;
  double interval = opt.rate > 0 ? 1e9 / opt.rate : 0;
  u64 planned = opt.rate > 0 ? (u64)(opt.seconds * opt.rate) : 0;
  for (;;) {
    u64 time = now();
    if (opt.count && completed + failed >= opt.count) break;
    if (time >= end && (!planned || completed + failed >= planned || time >= end + 5000000000ull)) break;
    u64 due = planned;
    if (planned && time < end) {
      due = (u64)((double)(time - start) / interval) + 1;
      if (due > planned) due = planned;
    }
    while (free_count && (planned ? sent < due : time < end && (!opt.count || sent < opt.count))) {
      struct Connection *c = free_list[--free_count];
      u64 intended = planned ? start + (u64)((double)sent * interval) : time;
      sent++;
      start_request(c, intended);
      c->state = HEAD;
      send_out(c);
    }
    struct timespec wait = {0, 100000000};
    if (planned && sent < planned && free_count) {
      u64 next = start + (u64)((double)sent * interval);
      u64 left = next > time ? next - time : 0;
      wait.tv_nsec = left < 100000000 ? (long)left : 100000000;
    } else if (time < end && end - time < 100000000) {
      wait.tv_nsec = (long)(end - time);
    }
    int n = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);
    for (int i = 0; i < n; i++) event(events[i].data.ptr, events[i].events);
    for (int i = 0; failed && i < total; i++)
      if (connections[i].state == CLOSED) open_connection(&connections[i]);
  }
  double took = (double)(now() - start) / 1e9;
  u64 unanswered = planned > completed + failed ? planned - completed - failed : 0;
  printf("{\"requests\": %lu, \"failed\": %lu, \"unanswered\": %lu, \"failure\": \"%s\", \"seconds\": %.6f, \"bytes\": %lu, "
         "\"reconnects\": %lu, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}\n",
         completed, failed, unanswered, failure_text, took, bytes_in, reconnects, percentile(0.5), percentile(0.9),
         percentile(0.99), percentile(0.999), (double)longest / 1000);
  return 0;
}
