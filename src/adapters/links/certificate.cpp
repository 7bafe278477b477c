#include "adapters/links/certificate.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <stdexcept>

namespace planetserve::adapters {

namespace {

struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
    void operator()(X509* certificate) const { X509_free(certificate); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Certificate = std::unique_ptr<X509, FreeCertificate>;

void require(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("TLS: ") + what + ": " + tls_error());
}

Certificate make_certificate(EVP_PKEY* key) {
    Certificate certificate(X509_new());
    require(certificate != nullptr, "certificate");
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    // Identities do not expire, and clocks may be wrong.
    ASN1_TIME_set_string(X509_getm_notBefore(certificate.get()), "20200101000000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(certificate.get()), "99991231235959Z");
    X509_NAME* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("planetserve"), -1, -1,
                               0);
    X509_set_issuer_name(certificate.get(), name);
    require(X509_set_pubkey(certificate.get(), key) == 1, "certificate key");
    require(X509_sign(certificate.get(), key, nullptr) > 0, "certificate signature");
    return certificate;
}

std::optional<NodeId> id_in(X509* certificate) {
    if (certificate == nullptr) return std::nullopt;
    EVP_PKEY* key = X509_get0_pubkey(certificate);
    NodeId id;
    std::size_t size = id.value.size();
    if (key == nullptr || EVP_PKEY_get_id(key) != EVP_PKEY_ED25519 ||
        EVP_PKEY_get_raw_public_key(key, id.value.data(), &size) != 1 || size != id.value.size())
        return std::nullopt;
    return id;
}

// Replaces OpenSSL's check of the chain. Trust does not come from a chain: the handshake proves that the peer
// has the key, and the key is the name.
int check_certificate(X509_STORE_CTX* store, void*) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* check = static_cast<PeerCheck*>(SSL_get_app_data(ssl));
    std::optional<NodeId> shown = id_in(X509_STORE_CTX_get0_cert(store));
    if (check != nullptr) check->shown = shown;
    if (shown && (check == nullptr || !check->expected || *check->expected == *shown)) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

}  // namespace

SslContext make_link_context(const crypto::Identity& identity) {
    auto seed = identity.seed();
    Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.bytes().data(), seed.bytes().size()));
    require(key != nullptr, "identity key");
    Certificate certificate = make_certificate(key.get());
    SslContext context(SSL_CTX_new(TLS_method()));
    require(context != nullptr, "context");
    SSL_CTX* raw = context.get();
    require(SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1 &&
                SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1,
            "version");
    require(SSL_CTX_set_ciphersuites(raw,
                                     "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1,
            "ciphers");
    require(SSL_CTX_set1_groups_list(raw, "X25519") == 1, "groups");
    require(SSL_CTX_use_certificate(raw, certificate.get()) == 1 && SSL_CTX_use_PrivateKey(raw, key.get()) == 1,
            "identity");
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(raw, check_certificate, nullptr);
    SSL_CTX_set_num_tickets(raw, 0);
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(raw,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return context;
}

void set_peer_check(SSL* ssl, PeerCheck& check) { SSL_set_app_data(ssl, &check); }

std::optional<NodeId> peer_id(SSL* ssl) { return id_in(Certificate(SSL_get1_peer_certificate(ssl)).get()); }

std::string tls_error() {
    unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "connection closed";
    const char* reason = ERR_reason_error_string(code);
    return reason == nullptr ? "error " + std::to_string(code) : reason;
}

}  // namespace planetserve::adapters
