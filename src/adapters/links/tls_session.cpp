#include "adapters/links/tls_session.h"

#include <openssl/err.h>

#include <stdexcept>

#include "base/requires.h"

namespace planetserve::adapters {

TlsSession::TlsSession(SSL_CTX* context, LinkSide side, std::optional<NodeId> expected)
    : ssl_(SSL_new(context)), check_{expected, {}} {
    if (ssl_ == nullptr) throw std::runtime_error("TLS: " + tls_error());
    BIO* bio = make_bio(buffer_);
    SSL_set_bio(ssl_, bio, bio);
    set_peer_check(ssl_, check_);
    if (side == LinkSide::dialed)
        SSL_set_connect_state(ssl_);
    else
        SSL_set_accept_state(ssl_);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

Result<TlsSession::Handshake> TlsSession::handshake() {
    ERR_clear_error();
    int done = SSL_do_handshake(ssl_);
    if (done == 1) return Handshake::done;
    if (SSL_get_error(ssl_, done) == SSL_ERROR_WANT_READ) return Handshake::under_way;
    if (SSL_get_verify_result(ssl_) != X509_V_ERR_APPLICATION_VERIFICATION)
        return fail(ErrorCode::authentication, "TLS handshake: " + tls_error());
    if (!check_.shown) return fail(ErrorCode::authentication, "the peer's certificate does not hold an Ed25519 key");
    return fail(ErrorCode::authentication,
                "node " + check_.shown->brief() + " answered where " + check_.expected->brief() + " was expected");
}

Result<std::size_t> TlsSession::read(MutableByteView room) {
    std::size_t size = 0;
    ERR_clear_error();
    int done = SSL_read_ex(ssl_, room.data(), room.size(), &size);
    if (done == 1) return size;
    int error = SSL_get_error(ssl_, done);
    if (error == SSL_ERROR_WANT_READ) return 0;
    return fail(ErrorCode::unavailable,
                error == SSL_ERROR_ZERO_RETURN ? "the peer closed the connection" : tls_error());
}

Result<std::size_t> TlsSession::write(ByteView plaintext) {
    std::size_t size = 0;
    ERR_clear_error();
    if (SSL_write_ex(ssl_, plaintext.data(), plaintext.size(), &size) != 1)
        return fail(ErrorCode::unavailable, tls_error());
    return size;
}

void TlsSession::on_sent(std::size_t bytes) {
    REQUIRES(bytes <= buffer_.out.size() - sent_);
    sent_ += bytes;
    if (sent_ < buffer_.out.size()) return;
    buffer_.out.clear();
    sent_ = 0;
}

void TlsSession::release() {
    buffer_.out = Bytes{};
    sent_ = 0;
}

}  // namespace planetserve::adapters
