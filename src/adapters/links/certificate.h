// TLS 1.3 for links. A certificate holds a node's Ed25519 identity; nothing else in it counts.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>

#include "crypto/identity.h"

namespace planetserve::adapters {

struct FreeSslContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSslContext>;

// A context for both ends of links of this identity: TLS 1.3 only, both ends show a certificate, no session
// tickets. Throws std::runtime_error when OpenSSL cannot do it.
SslContext make_link_context(const crypto::Identity& identity);

// One end's demand on the other, checked during the handshake: a dialling end that meets another key ends the handshake
// before its own certificate goes out.
struct PeerCheck {
    std::optional<NodeId> expected;  // any node when empty
    std::optional<NodeId> shown;     // by the certificate that came; not yet proved
};
// The check outlives the handshake. Without a check any node is accepted.
void set_peer_check(SSL* ssl, PeerCheck& check);

// The id that the peer proved in the handshake; empty when its certificate does not hold an Ed25519 key.
std::optional<NodeId> peer_id(SSL* ssl);

// OpenSSL's last error, for people.
std::string tls_error();

}  // namespace planetserve::adapters
