/* What Cython cannot say, or cannot make fast: loops over octets, the slot of a type, and the
 * system calls whose answers have many shapes. Included by kernel.pyx alone. Linux.
 *
 * Words are read and written with memcpy: no alignment is assumed, nothing is undefined, and a
 * compiler turns it into plain (or vector) loads. A failed call returns its negative errno.
 */
#ifndef LONGLINK_BITS_H
#define LONGLINK_BITS_H

#include <Python.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

/* RFC 6455 section 5.3: octet j of the payload meets octet (phase + j) % 4 of the key. `to` and
 * `from` are the same place or do not overlap. */
static inline void
longlink_mask(unsigned char *to, const unsigned char *from, Py_ssize_t size, uint32_t key,
              unsigned int phase)
{
    unsigned int turn = 8 * (phase & 3);
    uint32_t octets = htonl(turn ? key << turn | key >> (32 - turn) : key);
    uint64_t wide = (uint64_t)octets << 32 | octets;
    Py_ssize_t i = 0;

    /* Four words a round, read before any is written: the compiler may pair them up. */
    for (; size - i >= 32; i += 32) {
        uint64_t words[4];
        memcpy(words, from + i, 32);
        words[0] ^= wide;
        words[1] ^= wide;
        words[2] ^= wide;
        words[3] ^= wide;
        memcpy(to + i, words, 32);
    }
    for (; size - i >= 8; i += 8) {
        uint64_t word;
        memcpy(&word, from + i, 8);
        word ^= wide;
        memcpy(to + i, &word, 8);
    }
    /* i is a multiple of four here, so the key begins again. */
    unsigned char last[8];
    memcpy(last, &wide, 8);
    for (Py_ssize_t j = 0; i + j < size; j++)
        to[i + j] = from[i + j] ^ last[j];
}

/* A frame's header (RFC 6455 section 5.2): the length takes the fewest octets. */
static inline Py_ssize_t
longlink_header_length(Py_ssize_t size, int masked)
{
    return (size < 126 ? 2 : size < 65536 ? 4 : 10) + (masked ? 4 : 0);
}

static inline unsigned char *
longlink_big_endian(unsigned char *to, uint64_t number, int octets)
{
    while (octets--)
        *to++ = (unsigned char)(number >> 8 * octets);
    return to;
}

static inline Py_ssize_t
longlink_header(unsigned char *begin, unsigned int first, Py_ssize_t size, int masked, uint32_t key)
{
    unsigned char mark = masked ? 0x80 : 0, *to = begin;

    *to++ = (unsigned char)first;
    if (size < 126) {
        *to++ = mark | (unsigned char)size;
    } else if (size < 65536) {
        *to++ = mark | 126;
        to = longlink_big_endian(to, (uint64_t)size, 2);
    } else {
        *to++ = mark | 127;
        to = longlink_big_endian(to, (uint64_t)size, 8);
    }
    if (masked)
        to = longlink_big_endian(to, key, 4);
    return to - begin;
}

/* UTF-8 as a table (RFC 3629 section 4). A state says which octets may follow: 0 none missing;
 * 1, 2, 3 that many plain continuations; 4 after E0, 5 after ED, 6 after F0, 7 after F4. */
static inline int
longlink_utf8_lead(unsigned char octet)
{
    if (octet < 0xC2 || octet > 0xF4)
        return octet < 0x80 ? 0 : -1;
    switch (octet) {
    case 0xE0:
        return 4;
    case 0xED:
        return 5;
    case 0xF0:
        return 6;
    case 0xF4:
        return 7;
    default:
        return octet < 0xE0 ? 1 : octet < 0xF0 ? 2 : 3;
    }
}

/* The state after `size` octets, or -1 from the first octet on that no valid text has there. */
static inline int
longlink_utf8(const unsigned char *at, Py_ssize_t size, int state)
{
    static const unsigned char low[] = {0, 0x80, 0x80, 0x80, 0xA0, 0x80, 0x90, 0x80};
    static const unsigned char high[] = {0, 0xBF, 0xBF, 0xBF, 0xBF, 0x9F, 0xBF, 0x8F};
    static const signed char following[] = {0, 0, 1, 2, 1, 1, 2, 2};
    const unsigned char *end = at + size;

    while (at < end) {
        if (state) {
            if (*at < low[state] || *at > high[state])
                return -1;
            state = following[state];
            at++;
            continue;
        }
        if (*at < 0x80) {
            uint64_t word;
            for (at++; end - at >= 8; at += 8) {
                memcpy(&word, at, 8);
                if (word & UINT64_C(0x8080808080808080))
                    break;
            }
            while (at < end && *at < 0x80)
                at++;
            continue;
        }
        state = longlink_utf8_lead(*at++);
        if (state < 0)
            return -1;
    }
    return state;
}

/* Where `needle` first lies wholly in the block, or -1. */
static inline Py_ssize_t
longlink_find(const unsigned char *block, Py_ssize_t size, const char *needle, Py_ssize_t length)
{
    const unsigned char *found;

    if (!length)
        return 0;
    if (length > size)
        return -1;
    found = memmem(block, (size_t)size, needle, (size_t)length);
    return found ? found - block : -1;
}

/* What an octet may be in a header line: 1 a part of the name (RFC 9110 5.6.2, tchar), 2 of the
 * value. Octets beyond ASCII are for those who look more closely. */
#define NAME_AND_VALUE 3
#define VALUE 2
static const unsigned char longlink_octets[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = NAME_AND_VALUE,
    ['"'] = VALUE,
    ['#' ... '\''] = NAME_AND_VALUE,
    ['(' ... ')'] = VALUE,
    ['*' ... '+'] = NAME_AND_VALUE,
    [','] = VALUE,
    ['-' ... '.'] = NAME_AND_VALUE,
    ['/'] = VALUE,
    ['0' ... '9'] = NAME_AND_VALUE,
    [':' ... '@'] = VALUE,
    ['A' ... 'Z'] = NAME_AND_VALUE,
    ['[' ... ']'] = VALUE,
    ['^' ... 'z'] = NAME_AND_VALUE,
    ['{'] = VALUE,
    ['|'] = NAME_AND_VALUE,
    ['}'] = VALUE,
    ['~'] = NAME_AND_VALUE,
};

/* A header line at the beginning of a block: how long its name is, where its value begins and
 * how long that is. The length of the line with its end, or -1 for what is none. */
static inline Py_ssize_t
longlink_field(const unsigned char *line, Py_ssize_t size, Py_ssize_t *name, Py_ssize_t *value,
               Py_ssize_t *length)
{
    Py_ssize_t at = 0, end;

    while (at < size && longlink_octets[line[at]] == NAME_AND_VALUE)
        at++;
    *name = at;
    if (!at || at == size || line[at] != ':')
        return -1;
    for (at++; at < size && (line[at] == ' ' || line[at] == '\t'); at++)
        ;
    *value = end = at;
    for (; at < size && longlink_octets[line[at]]; at++)
        if (line[at] != ' ' && line[at] != '\t')
            end = at + 1;
    *length = end - *value;
    return size - at >= 2 && line[at] == '\r' && line[at + 1] == '\n' ? at + 2 : -1;
}

/* Whether two names are the same without regard to case; the second is in lower case. */
static inline int
longlink_is_name(const unsigned char *name, const unsigned char *lower, Py_ssize_t size)
{
    Py_ssize_t i;

    for (i = 0; i < size; i++)
        if ((name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]) != lower[i])
            return 0;
    return 1;
}

/* The calls are made with the GIL: the sockets do not block, and nobody else may touch the memory
 * meanwhile. */
static inline Py_ssize_t
longlink_recv(int fd, void *room, size_t size)
{
    Py_ssize_t got;

    do
        got = recv(fd, room, size, 0);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static inline Py_ssize_t
longlink_send(int fd, const struct iovec *parts, size_t count)
{
    struct msghdr message;
    Py_ssize_t sent;

    memset(&message, 0, sizeof message);
    message.msg_iov = (struct iovec *)parts;
    message.msg_iovlen = count;
    do
        sent = count == 1 ? send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL)
                          : sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static inline int64_t
longlink_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* What is ready: looked for again and again, without sleep, for `patience` ns. */
static inline int
longlink_hover(int poll, struct epoll_event *events, int limit, int64_t patience)
{
    int64_t until = longlink_now_ns() + patience;
    int got;

    do
        got = epoll_wait(poll, events, limit, 0);
    while (!got && longlink_now_ns() < until);
    return got;
}

static inline int
longlink_accept(int fd)
{
    int taken, on = 1;

    do
        taken = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (taken < 0 && errno == EINTR);
    if (taken < 0)
        return -errno;
    /* Corking gathers what belongs together; what is left must not wait. Not for AF_UNIX. */
    (void)setsockopt(taken, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return taken;
}

/* A socket address in the shape that Python's socket module gives it; None for other families. */
static inline PyObject *
longlink_address(const struct sockaddr_storage *name, socklen_t length)
{
    char text[INET6_ADDRSTRLEN];

    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
        inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
        return Py_BuildValue("si", text, (int)ntohs(v4->sin_port));
    }
    if (name->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)name;
        inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
        return Py_BuildValue("siII", text, (int)ntohs(v6->sin6_port),
                             (unsigned int)ntohl(v6->sin6_flowinfo),
                             (unsigned int)v6->sin6_scope_id);
    }
    if (name->ss_family == AF_UNIX) {
        const char *path = ((const struct sockaddr_un *)name)->sun_path;
        size_t size = length > offsetof(struct sockaddr_un, sun_path)
                          ? length - offsetof(struct sockaddr_un, sun_path)
                          : 0;
        /* An abstract name begins with NUL and has no end mark (unix(7)). */
        if (size && !path[0])
            return PyBytes_FromStringAndSize(path, (Py_ssize_t)size);
        return PyUnicode_DecodeFSDefaultAndSize(path, (Py_ssize_t)strnlen(path, size));
    }
    Py_RETURN_NONE;
}

static inline PyObject *
longlink_name(int fd, int of_peer)
{
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    int failed;

    memset(&name, 0, sizeof name);
    failed = of_peer ? getpeername(fd, (struct sockaddr *)&name, &length)
                     : getsockname(fd, (struct sockaddr *)&name, &length);
    if (failed)
        Py_RETURN_NONE;
    return longlink_address(&name, length);
}

/* The peer's address in the shape that takes the least memory: of IPv4 a number. */
static inline PyObject *
longlink_packed_peer(int fd)
{
    struct sockaddr_storage name;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&name;
    socklen_t length = sizeof name;

    memset(&name, 0, sizeof name);
    if (getpeername(fd, (struct sockaddr *)&name, &length))
        Py_RETURN_NONE;
    if (name.ss_family != AF_INET)
        return longlink_address(&name, length);
    return PyLong_FromUnsignedLongLong((unsigned long long)ntohl(v4->sin_addr.s_addr) << 16 |
                                       ntohs(v4->sin_port));
}

static inline PyObject *
longlink_unpacked_peer(unsigned long long packed)
{
    struct sockaddr_storage name;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&name;

    memset(&name, 0, sizeof name);
    v4->sin_family = AF_INET;
    v4->sin_addr.s_addr = htonl((uint32_t)(packed >> 16));
    v4->sin_port = htons((uint16_t)packed);
    return longlink_address(&name, sizeof *v4);
}

/* From now on the kernel holds back what fills no segment, up to 0.2 s or the end of the stream. */
static inline int
longlink_cork(int fd)
{
#ifdef TCP_CORK
    int on = 1;

    return setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) ? -errno : 0;
#else
    return -ENOPROTOOPT;
#endif
}

/* Take back the empty dictionary that Cython gives to each instance that may have one: it is made
 * again for the first attribute that is put into it. */
static inline void
longlink_forget_dict(PyObject *instance)
{
    PyObject **dict = _PyObject_GetDictPtr(instance);

    if (dict && *dict && PyDict_CheckExact(*dict) && !PyDict_GET_SIZE(*dict))
        Py_CLEAR(*dict);
}

/* Masking keys (RFC 6455 section 10.3) from the system's generator, bought in bulk. */
static uint32_t longlink_keys[1024];
static size_t longlink_keys_left;

static void
longlink_forget_keys(void)
{
    longlink_keys_left = 0;
}

/* Parent and child would otherwise mask with the same keys. */
static inline int
longlink_watch_forks(void)
{
    return -pthread_atfork(NULL, NULL, longlink_forget_keys);
}

/* 0, or negative errno. */
static inline int
longlink_key(unsigned int *key)
{
    if (!longlink_keys_left) {
        size_t filled = 0;
        while (filled < sizeof longlink_keys) {
            ssize_t got =
                getrandom((char *)longlink_keys + filled, sizeof longlink_keys - filled, 0);
            if (got >= 0)
                filled += (size_t)got;
            else if (errno != EINTR)
                return -errno;
        }
        longlink_keys_left = sizeof longlink_keys / sizeof longlink_keys[0];
    }
    *key = longlink_keys[--longlink_keys_left];
    return 0;
}

/* Give the type a way to end without a StopIteration object. Cython has no name for this slot. */
static inline void
longlink_install_send(PyObject *type, sendfunc send)
{
    PyTypeObject *target = (PyTypeObject *)type;

    target->tp_as_async->am_send = send;
    PyType_Modified(target);
}

#endif
