#include "crypto/hash.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace planetserve::crypto {

namespace {

// SHA-256 by OpenSSL, which uses the processor's SHA instructions; libsodium does not. Each thread has one context,
// because OpenSSL takes longer to fetch the algorithm than to hash a block. So a thread can compute one hash at a time.
class Hash {
public:
    Hash() : context_(thread_context()) { require(EVP_DigestInit_ex(context_, nullptr, nullptr) == 1); }

    void update(ByteView data) { require(EVP_DigestUpdate(context_, data.data(), data.size()) == 1); }

    Digest finish() {
        Digest digest;
        require(EVP_DigestFinal_ex(context_, digest.data(), nullptr) == 1);
        return digest;
    }

private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };

    static void require(bool ok) {
        if (!ok) throw std::runtime_error("OpenSSL failed in SHA-256");
    }

    static EVP_MD_CTX* thread_context() {
        thread_local std::unique_ptr<EVP_MD_CTX, Free> context = [] {
            std::unique_ptr<EVP_MD_CTX, Free> made(EVP_MD_CTX_new());
            require(made && EVP_DigestInit_ex(made.get(), EVP_sha256(), nullptr) == 1);
            return made;
        }();
        return context.get();
    }

    EVP_MD_CTX* context_;
};

}  // namespace

void wipe(MutableByteView bytes) { sodium_memzero(bytes.data(), bytes.size()); }

Digest sha256(ByteView data) { return sha256({data}); }

Digest sha256(std::initializer_list<ByteView> parts) {
    Hash hash;
    for (ByteView part : parts) hash.update(part);
    return hash.finish();
}

struct Sha256::State {
    struct Free {
        void operator()(EVP_MD_CTX* which) const { EVP_MD_CTX_free(which); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};

    void begin() {
        if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
            throw std::runtime_error("OpenSSL failed in SHA-256");
    }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { state_->begin(); }
Sha256::~Sha256() = default;

void Sha256::update(ByteView data) {
    if (EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) != 1)
        throw std::runtime_error("OpenSSL failed in SHA-256");
}

Digest Sha256::finish() {
    Digest digest;
    if (EVP_DigestFinal_ex(state_->context.get(), digest.data(), nullptr) != 1)
        throw std::runtime_error("OpenSSL failed in SHA-256");
    state_->begin();
    return digest;
}

Digest hmac_sha256(ByteView key, ByteView data) { return hmac_sha256(key, {data}); }

Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> parts) {
    std::array<std::uint8_t, 64> pad{};
    if (key.size() > pad.size()) {
        Digest shortened = sha256(key);
        std::copy(shortened.begin(), shortened.end(), pad.begin());
        wipe(shortened);
    } else {
        std::copy(key.begin(), key.end(), pad.begin());
    }
    for (auto& byte : pad) byte ^= 0x36;
    Hash inner;
    inner.update(pad);
    for (ByteView part : parts) inner.update(part);
    Digest digest = inner.finish();
    for (auto& byte : pad) byte ^= 0x36 ^ 0x5c;
    digest = sha256({pad, digest});
    wipe(pad);
    return digest;
}

void hkdf_sha256(ByteView salt, ByteView key_material, std::string_view info, MutableByteView out) {
    if (out.size() > 255 * sizeof(Digest)) throw std::logic_error("hkdf_sha256: more than 8,160 bytes asked");
    Digest extracted = hmac_sha256(salt, key_material);
    Bytes block;
    for (std::uint8_t counter = 1; !out.empty(); ++counter) {
        append(block, as_bytes(info));
        block.push_back(counter);
        Digest next = hmac_sha256(extracted, block);
        std::size_t size = std::min(out.size(), next.size());
        std::copy_n(next.begin(), size, out.begin());
        out = out.subspan(size);
        wipe(block);
        block.assign(next.begin(), next.end());
        wipe(next);
    }
    wipe(block);
    wipe(extracted);
}

SymmetricKey derive_key(ByteView salt, ByteView key_material, std::string_view info) {
    SymmetricKey key;
    hkdf_sha256(salt, key_material, info, key.bytes());
    return key;
}

}  // namespace planetserve::crypto
