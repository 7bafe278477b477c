// One TLS connection of a link, over memory: the link brings the peer's records and sends those that are pending. So
// one system call moves many records.
#pragma once

#include <optional>

#include "adapters/links/certificate.h"
#include "adapters/links/tls_buffer.h"
#include "base/result.h"

namespace planetserve::adapters {

enum class LinkSide { dialed, accepted };

class TlsSession {
public:
    enum class Handshake { under_way, done };

    // Any node may answer where none is expected. Throws std::runtime_error when OpenSSL cannot make a session.
    TlsSession(SSL_CTX* context, LinkSide side, std::optional<NodeId> expected);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    // Records of the peer for the calls that follow; a view of the caller's memory, until the next call.
    void feed(ByteView records) { buffer_.in = records; }
    // Bytes of them that no call has read.
    std::size_t unread() const { return buffer_.in.size(); }

    // Continues the handshake with the records there are. Fails with `authentication`, saying why.
    Result<Handshake> handshake();
    // The node that the handshake proved; empty when its certificate holds no Ed25519 key. Requires: it is done.
    std::optional<NodeId> peer() const { return peer_id(ssl_); }

    // Plaintext from the records; 0 when it takes more of them. Fails with `unavailable` at the peer's end of data.
    Result<std::size_t> read(MutableByteView room);
    // Makes records of the front of the plaintext; returns how much was taken. Fails with `unavailable`.
    Result<std::size_t> write(ByteView plaintext);
    // Makes the alert that says the connection is closed on purpose. Requires: the handshake is done.
    void close() { SSL_shutdown(ssl_); }

    // Records to be sent.
    ByteView pending() const { return ByteView(buffer_.out).subspan(sent_); }
    void on_sent(std::size_t bytes);
    // Bytes of records made since all were sent last.
    std::size_t held() const { return buffer_.out.size(); }
    std::size_t capacity() const { return buffer_.out.capacity(); }
    // Gives the memory of pending records back, sent or not.
    void release();

private:
    TlsBuffer buffer_;
    std::size_t sent_ = 0;  // of buffer_.out
    SSL* ssl_;
    PeerCheck check_;
};

}  // namespace planetserve::adapters
