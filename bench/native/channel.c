/* Both ways give the same three answers: so many octets, not now, broken. */
#include "channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

static ssize_t plain_result(ssize_t n) {
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR || errno == ENOTCONN ? CHANNEL_NOT_NOW : CHANNEL_BROKEN;
}

static ssize_t plain_send(const Peer *peer, const void *octets, size_t length) {
    return plain_result(send(peer->fd, octets, length, MSG_NOSIGNAL | MSG_DONTWAIT));
}

static ssize_t plain_receive(const Peer *peer, void *room, size_t length) {
    return plain_result(recv(peer->fd, room, length, MSG_DONTWAIT));
}

#ifndef HAVE_TLS

void channel_prepare(void) { fail("--tls needs OpenSSL: this was built without its headers"); }

int channel_secure(Peer *peer) {
    (void)peer;
    return CHANNEL_BROKEN;
}

ssize_t channel_send(Peer *peer, const void *octets, size_t length) {
    return plain_send(peer, octets, length);
}

ssize_t channel_receive(Peer *peer, void *room, size_t length) {
    return plain_receive(peer, room, length);
}

void channel_close(Peer *peer) { close(peer->fd); }

#else

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

enum { READ_AHEAD = 128 * 1024 };
static SSL_CTX *context;

void channel_prepare(void) {
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    context = SSL_CTX_new(TLS_client_method());
    if (!context) fail("no TLS context");
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* on the loopback, any certificate will do */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_read_ahead(context, 1); /* a system call for many records, not two for each */
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
}

static ssize_t secure_result(Peer *peer, int n) {
    if (n > 0) return n;
    switch (SSL_get_error(peer->tls, n)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return CHANNEL_NOT_NOW;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return errno ? CHANNEL_BROKEN : 0;
    default:
        errno = 0;
        return CHANNEL_BROKEN;
    }
}

int channel_secure(Peer *peer) {
    if (!peer->tls) {
        peer->tls = SSL_new(context);
        if (!peer->tls || !SSL_set_fd(peer->tls, peer->fd)) fail("no TLS connection");
        SSL_set_tlsext_host_name(peer->tls, "localhost");
    }
    ERR_clear_error();
    return (int)secure_result(peer, SSL_connect(peer->tls));
}

/* OpenSSL returns after each record of 16 KiB. */
ssize_t channel_send(Peer *peer, const void *octets, size_t length) {
    if (!peer->tls) return plain_send(peer, octets, length);
    size_t sent = 0;
    while (sent < length) {
        ERR_clear_error();
        int written = SSL_write(peer->tls, (const char *)octets + sent, (int)(length - sent));
        ssize_t n = secure_result(peer, written);
        peer->must_repeat = n == CHANNEL_NOT_NOW;
        if (n == 0) n = CHANNEL_BROKEN;
        if (n < 0) return sent ? (ssize_t)sent : n;
        sent += (size_t)n;
    }
    return (ssize_t)sent;
}

ssize_t channel_receive(Peer *peer, void *room, size_t length) {
    if (!peer->tls) return plain_receive(peer, room, length);
    size_t got = 0;
    while (got < length) {
        ERR_clear_error();
        ssize_t n = secure_result(peer, SSL_read(peer->tls, (char *)room + got, (int)(length - got)));
        peer->over = n == 0 || n == CHANNEL_BROKEN;
        if (n <= 0) return got ? (ssize_t)got : n;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

void channel_close(Peer *peer) {
    SSL_free(peer->tls);
    peer->tls = NULL;
    close(peer->fd);
}

#endif
