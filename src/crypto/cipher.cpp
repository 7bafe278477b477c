#include "crypto/cipher.h"

#include <openssl/evp.h>

#include <limits>
#include <memory>
#include <stdexcept>

namespace planetserve::crypto {

namespace {

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

void require(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("OpenSSL failed in ") + what);
}

Context new_gcm_context() {
    Context made(EVP_CIPHER_CTX_new());
    require(made && EVP_CipherInit_ex(made.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr, 1) == 1, "AES-GCM");
    return made;
}

// One context a thread and cipher, set up once: OpenSSL takes longer to fetch a cipher than to encrypt a cell.
EVP_CIPHER_CTX* gcm_context() {
    thread_local Context context = new_gcm_context();
    return context.get();
}

// A separate context, so that seal_in_place and open_in_place may run between two pieces.
EVP_CIPHER_CTX* piecewise_context() {
    thread_local Context context = new_gcm_context();
    return context.get();
}

thread_local bool piecewise_in_use = false;

EVP_CIPHER_CTX* ctr_context() {
    thread_local Context context = [] {
        Context made(EVP_CIPHER_CTX_new());
        require(made && EVP_CipherInit_ex(made.get(), EVP_aes_256_ctr(), nullptr, nullptr, nullptr, 1) == 1, "AES-CTR");
        return made;
    }();
    return context.get();
}

int checked_size(std::size_t size) {
    if (size > static_cast<std::size_t>(std::numeric_limits<int>::max()))
        throw std::logic_error("cipher: data over 2 GiB");
    return static_cast<int>(size);
}

}  // namespace

Nonce counter_nonce(std::uint64_t counter) {
    Nonce nonce{};
    store_big_endian(MutableByteView(nonce).subspan(4), counter);
    return nonce;
}

Tag seal_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data) {
    EVP_CIPHER_CTX* context = gcm_context();
    int size = 0;
    Tag tag;
    require(EVP_EncryptInit_ex(context, nullptr, nullptr, key.bytes().data(), nonce.data()) == 1, "AES-GCM key");
    if (!associated.empty())
        require(EVP_EncryptUpdate(context, nullptr, &size, associated.data(), checked_size(associated.size())) == 1,
                "AES-GCM");
    if (!data.empty())
        require(EVP_EncryptUpdate(context, data.data(), &size, data.data(), checked_size(data.size())) == 1, "AES-GCM");
    require(EVP_EncryptFinal_ex(context, tag.data(), &size) == 1, "AES-GCM");
    require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1, "AES-GCM tag");
    return tag;
}

bool open_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data,
                   const Tag& tag) {
    EVP_CIPHER_CTX* context = gcm_context();
    int size = 0;
    Tag copy = tag;
    require(EVP_DecryptInit_ex(context, nullptr, nullptr, key.bytes().data(), nonce.data()) == 1, "AES-GCM key");
    require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_size, copy.data()) == 1, "AES-GCM tag");
    if (!associated.empty())
        require(EVP_DecryptUpdate(context, nullptr, &size, associated.data(), checked_size(associated.size())) == 1,
                "AES-GCM");
    if (!data.empty())
        require(EVP_DecryptUpdate(context, data.data(), &size, data.data(), checked_size(data.size())) == 1, "AES-GCM");
    return EVP_DecryptFinal_ex(context, copy.data(), &size) == 1;
}

PiecewiseCipher::PiecewiseCipher(const SymmetricKey& key, const Nonce& nonce, ByteView associated, bool encrypt) {
    if (piecewise_in_use) throw std::logic_error("cipher: a second Sealer or Opener in one thread");
    EVP_CIPHER_CTX* context = piecewise_context();
    int size = 0;
    require(EVP_CipherInit_ex(context, nullptr, nullptr, key.bytes().data(), nonce.data(), encrypt ? 1 : 0) == 1,
            "AES-GCM key");
    if (!associated.empty())
        require(EVP_CipherUpdate(context, nullptr, &size, associated.data(), checked_size(associated.size())) == 1,
                "AES-GCM");
    piecewise_in_use = true;
}

PiecewiseCipher::~PiecewiseCipher() { piecewise_in_use = false; }

void PiecewiseCipher::update(ByteView in, MutableByteView out) {
    if (in.size() != out.size()) throw std::logic_error("cipher: input and output differ in size");
    int size = 0;
    if (!in.empty())
        require(EVP_CipherUpdate(piecewise_context(), out.data(), &size, in.data(), checked_size(in.size())) == 1,
                "AES-GCM");
}

Tag Sealer::finish() {
    int size = 0;
    Tag tag;
    require(EVP_CipherFinal_ex(piecewise_context(), tag.data(), &size) == 1, "AES-GCM");
    require(EVP_CIPHER_CTX_ctrl(piecewise_context(), EVP_CTRL_AEAD_GET_TAG, tag_size, tag.data()) == 1, "AES-GCM tag");
    return tag;
}

bool Opener::finish(const Tag& tag) {
    int size = 0;
    Tag copy = tag;
    require(EVP_CIPHER_CTX_ctrl(piecewise_context(), EVP_CTRL_AEAD_SET_TAG, tag_size, copy.data()) == 1, "AES-GCM tag");
    return EVP_CipherFinal_ex(piecewise_context(), copy.data(), &size) == 1;
}

void stream_xor(const SymmetricKey& key, std::uint64_t counter, MutableByteView data) {
    EVP_CIPHER_CTX* context = ctr_context();
    std::array<std::uint8_t, 16> iv{};
    store_big_endian(MutableByteView(iv).first(8), counter);
    int size = 0;
    require(EVP_EncryptInit_ex(context, nullptr, nullptr, key.bytes().data(), iv.data()) == 1, "AES-CTR key");
    if (!data.empty())
        require(EVP_EncryptUpdate(context, data.data(), &size, data.data(), checked_size(data.size())) == 1, "AES-CTR");
}

}  // namespace planetserve::crypto
