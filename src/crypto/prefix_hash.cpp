#include "crypto/prefix_hash.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <stdexcept>

#include "crypto/hash.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace planetserve::crypto {

namespace {

static_assert(std::endian::native == std::endian::little, "the hash is defined over little-endian words");

constexpr std::size_t stride = 32;          // bytes in a step of AVX2
constexpr std::size_t toeplitz_shift = 16;  // bytes between the keys of the two passes, as in RFC 4418
constexpr std::size_t cache_line = 64;
constexpr std::size_t ahead = 2048;  // how many bytes to prefetch
constexpr std::uint64_t prime = (std::uint64_t{1} << 61) - 1;

__extension__ using Wide = unsigned __int128;

struct Digest128 {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
};

// NH (RFC 4418, 5.2.2) over whole strides: the sum of (m0 + k0) * (m1 + k1) over pairs of adjacent 32-bit words.
Digest128 nh_portable(const std::uint8_t* data, const std::uint8_t* key, std::size_t size) {
    auto term = [](const std::uint8_t* m, const std::uint8_t* k) {
        std::array<std::uint32_t, 2> message;
        std::array<std::uint32_t, 2> pad;
        std::memcpy(message.data(), m, 8);
        std::memcpy(pad.data(), k, 8);
        return std::uint64_t{message[0] + pad[0]} * std::uint64_t{message[1] + pad[1]};
    };
    Digest128 digest;
    for (std::size_t i = 0; i < size; i += 8) {
        digest.first += term(data + i, key + i);
        digest.second += term(data + i, key + toeplitz_shift + i);
    }
    return digest;
}

#if defined(__x86_64__)
#define PLANETSERVE_AVX2 __attribute__((target("avx2"), always_inline)) inline

PLANETSERVE_AVX2 __m256i load(const std::uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i_u*>(from));
}
PLANETSERVE_AVX2 __m256i multiply(__m256i words) { return _mm256_mul_epu32(words, _mm256_srli_epi64(words, 32)); }
PLANETSERVE_AVX2 std::uint64_t sum(__m256i lanes) {
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
    half = _mm_add_epi64(half, _mm_unpackhi_epi64(half, half));
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(half));
}

#undef PLANETSERVE_AVX2

__attribute__((target("avx2"))) Digest128 nh_avx2(const std::uint8_t* data, const std::uint8_t* key, std::size_t size) {
    __m256i first = _mm256_setzero_si256();
    __m256i second = _mm256_setzero_si256();
    for (std::size_t i = 0; i < size; i += stride) {
        __m256i message = load(data + i);
        first = _mm256_add_epi64(first, multiply(_mm256_add_epi32(message, load(key + i))));
        second = _mm256_add_epi64(second, multiply(_mm256_add_epi32(message, load(key + toeplitz_shift + i))));
    }
    return {sum(first), sum(second)};
}
#endif

using Nh = Digest128 (*)(const std::uint8_t*, const std::uint8_t*, std::size_t);

Nh fastest_nh() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return nh_avx2;
#endif
    return nh_portable;
}

// Reduces modulo 2^61 - 1. REQUIRES: value is below 2^121.
std::uint64_t reduce(Wide value) {
    std::uint64_t folded = (static_cast<std::uint64_t>(value) & prime) + static_cast<std::uint64_t>(value >> 61);
    return folded >= prime ? folded - prime : folded;
}

// AES-128 in ECB mode, in place. The blocks are independent.
class BlockCipher {
public:
    explicit BlockCipher(ByteView key) : context_(EVP_CIPHER_CTX_new()) {
        if (!context_ || EVP_EncryptInit_ex(context_.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr) != 1)
            throw std::runtime_error("OpenSSL failed in AES-128");
        EVP_CIPHER_CTX_set_padding(context_.get(), 0);
    }
    void encrypt(void* blocks, std::size_t size) {
        int written = 0;
        auto* bytes = static_cast<std::uint8_t*>(blocks);
        if (EVP_EncryptUpdate(context_.get(), bytes, &written, bytes, static_cast<int>(size)) != 1)
            throw std::runtime_error("OpenSSL failed in AES-128");
    }

private:
    struct Free {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
    };
    std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

using Multipliers = std::array<std::uint64_t, 4>;

}  // namespace

struct PrefixHash::State {
    State(ByteView aes_key, std::size_t blocks) : cipher(aes_key), multipliers(blocks) {}

    Digest128 digest(ByteView block, Nh nh_function) const {
        std::size_t whole = block.size() / stride * stride;
        Digest128 digest = nh_function(block.data(), nh_key.data(), whole);
        if (whole == block.size()) return digest;
        std::array<std::uint8_t, stride> padded{};
        std::copy(block.begin() + static_cast<std::ptrdiff_t>(whole), block.end(), padded.begin());
        Digest128 rest = nh_function(padded.data(), nh_key.data() + whole, stride);
        return {digest.first + rest.first, digest.second + rest.second};
    }

    Nh fastest = fastest_nh();
    std::array<std::uint8_t, block_size + toeplitz_shift> nh_key{};
    std::array<std::uint64_t, 2> size_multipliers{};
    BlockCipher cipher;
    std::vector<Multipliers> multipliers;
    std::vector<Digest128> sums;
};

PrefixHash::PrefixHash(ByteView key_material, std::string_view purpose, std::size_t maximum_blocks) {
    if (key_material.size() < 16) throw std::logic_error("PrefixHash: a key of fewer than 16 bytes");
    std::array<std::uint8_t, 32> keys{};
    hkdf_sha256(as_bytes(purpose), key_material, "planetserve prefix hash", keys);
    state_ = std::make_unique<State>(ByteView(keys).first(16), maximum_blocks);

    // AES-128 of a counter, under a separate key, gives the long keys.
    BlockCipher expand(ByteView(keys).last(16));
    std::uint64_t counter = 0;
    auto fill = [&](void* to, std::size_t size) {
        auto* bytes = static_cast<std::uint8_t*>(to);
        for (std::size_t done = 0; done < size; done += 16) {
            std::array<std::uint64_t, 2> block{counter++, 0};
            expand.encrypt(block.data(), sizeof block);
            std::memcpy(bytes + done, block.data(), std::min<std::size_t>(16, size - done));
        }
    };
    fill(state_->nh_key.data(), state_->nh_key.size());
    fill(state_->size_multipliers.data(), sizeof state_->size_multipliers);
    fill(state_->multipliers.data(), state_->multipliers.size() * sizeof(Multipliers));
    auto shorten = [](std::uint64_t& value) { value = (value & prime) % prime; };
    for (auto& value : state_->size_multipliers) shorten(value);
    for (Multipliers& values : state_->multipliers)
        for (auto& value : values) shorten(value);
    wipe(keys);
}

PrefixHash::~PrefixHash() {
    if (!state_) return;
    wipe(state_->nh_key);
    wipe({reinterpret_cast<std::uint8_t*>(state_->multipliers.data()),
          state_->multipliers.size() * sizeof(Multipliers)});
}
PrefixHash::PrefixHash(PrefixHash&&) noexcept = default;
PrefixHash& PrefixHash::operator=(PrefixHash&&) noexcept = default;

void PrefixHash::hash(ByteView data, std::span<const std::uint32_t> ends, std::span<std::uint64_t> out) {
    State& state = *state_;
    const Nh nh = portable_ ? nh_portable : state.fastest;
    if (ends.empty()) return;
    if (out.size() != ends.size() || ends.back() > data.size()) throw std::logic_error("PrefixHash: sizes do not fit");
    state.sums.resize(ends.size());
    // A product is below 2^93, so 2^13 blocks of two products keep the sums far below 2^121.
    Wide first = 0;
    Wide second = 0;
    std::size_t begin = 0;
    std::size_t block = 0;
    // A string that has just arrived is in none of the nearer caches, and the processor's own prefetching restarts at
    // each page.
    std::size_t asked = 0;
    auto ask_until = [&](std::size_t end) {
        for (end = std::min<std::size_t>(end, ends.back()); asked < end; asked += cache_line)
            __builtin_prefetch(data.data() + asked);
    };
    ask_until(ahead);
    for (std::size_t level = 0; level < ends.size(); ++level) {
        const std::size_t end = ends[level];
        if (end <= begin) throw std::logic_error("PrefixHash: boundaries do not ascend");
        while (begin < end) {
            std::size_t size = std::min(block_size, end - begin);
            ask_until(begin + size + ahead);
            if (block == state.multipliers.size()) throw std::logic_error("PrefixHash: too many blocks");
            Digest128 digest = state.digest(data.subspan(begin, size), nh);
            const Multipliers& by = state.multipliers[block++];
            first += Wide{by[0]} * static_cast<std::uint32_t>(digest.first) + Wide{by[1]} * (digest.first >> 32);
            second += Wide{by[2]} * static_cast<std::uint32_t>(digest.second) + Wide{by[3]} * (digest.second >> 32);
            begin += size;
        }
        state.sums[level] = {reduce(first + Wide{state.size_multipliers[0]} * end),
                             reduce(second + Wide{state.size_multipliers[1]} * end)};
    }
    state.cipher.encrypt(state.sums.data(), state.sums.size() * sizeof(Digest128));
    for (std::size_t level = 0; level < ends.size(); ++level) out[level] = state.sums[level].first;
}

}  // namespace planetserve::crypto
