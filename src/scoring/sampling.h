// How an answer's tokens are drawn, so that they follow from the model, the prompt and a nonce alone.
//
// The draw is llama.cpp's sampler chain {"top_k", "top_p", "min_p", "temperature"} followed by its `dist` sampler: the
// top_k logits in descending order; of these the fewest that together have top_p of the probability; of these the ones
// with at least min_p of the likeliest's; divided by the temperature; a softmax; and one uniform number a token, from a
// Mersenne Twister (mt19937) with the seed, that is looked up in the cumulative probabilities. A client binds
// llama-server to it by {"seed": S, "samplers": ["top_k", "top_p", "min_p", "temperature"], "top_k": K, "top_p": P,
// "min_p": M, "temperature": T}.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <utility>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace planetserve::scoring {

// A token as the model's vocabulary numbers it.
enum class TokenId : std::uint32_t {};
inline std::uint32_t number(TokenId token) { return std::to_underlying(token); }

// Drawn by the user for each request, at random.
using Nonce = FixedBytes<struct NonceTag, 32>;

// What llama-server takes for "draw a seed yourself": such an answer cannot be replayed.
inline constexpr std::uint32_t random_seed = 0xffffffff;

struct SamplingProfile {
    float temperature = 0.8F;  // 0: greedy, the most probable token each time
    std::uint32_t top_k = 40;
    float top_p = 1;  // 1: leaves none of the top_k out
    float min_p = 0;  // 0: the same
    // A seed that the user chose; it then has the meaning it has at llama-server, and the nonce has no part in the
    // draws. Without one the seed follows from the nonce.
    std::optional<std::uint32_t> seed = std::nullopt;
    std::uint32_t max_tokens = 0;  // 0: no limit but the context

    bool operator==(const SamplingProfile&) const = default;
    bool greedy() const { return temperature <= 0; }
};

// What a managed engine draws by where a request does not say: llama-server's own defaults, so that users get what they
// would get from it.
inline constexpr SamplingProfile usual_sampling{.temperature = 0.8F, .top_k = 40, .top_p = 0.95F, .min_p = 0.05F};

// invalid_argument for what cannot be replayed: a temperature other than 0 or 0.01 to 100, a top_k other than 1 to
// 1024, a top_p or min_p outside 0 to 1, random_seed, more than a million tokens.
Status scorable(const SamplingProfile& profile);

// The first four bytes, as a big-endian number without its highest bit, of
// SHA-256("planetserve sampling seed v1" || nonce). 31 bits fit the seed of every engine, and are never random_seed.
std::uint32_t seed_of(const Nonce& nonce);
// The profile's own seed, or the nonce's.
std::uint32_t seed_of(const SamplingProfile& profile, const Nonce& nonce);

// The uniform numbers in [0, 1) that the `dist` sampler draws, one a token: two outputs a and b of the twister make
// (a + 2^32 b) / 2^64, in double precision.
class SamplingDraws {
public:
    explicit SamplingDraws(std::uint32_t seed) : twister_(seed) {}
    double next();

private:
    std::mt19937 twister_;
};

// Uniform numbers in [0, 1) for the tests that need some of their own (PIT), from the nonce, independent of the seed:
// 53 bits each of SHA-256(key || i as 4 bytes), four a digest, key = SHA-256("planetserve companion draws v1" ||
// nonce).
class CompanionDraws {
public:
    explicit CompanionDraws(const Nonce& nonce);
    double next();

private:
    crypto::Digest key_;
    crypto::Digest block_{};
    std::uint32_t drawn_ = 0;
};

}  // namespace planetserve::scoring
