#include "scoring/sampling.h"

#include <cmath>

namespace planetserve::scoring {

Status scorable(const SamplingProfile& profile) {
    bool drawn = profile.temperature >= 0.01F && profile.temperature <= 100;
    if (profile.temperature != 0 && !drawn)
        return fail(ErrorCode::invalid_argument, "a temperature is 0, or 0.01 to 100, for an answer to be scored");
    if (profile.top_k < 1 || profile.top_k > 1024)
        return fail(ErrorCode::invalid_argument, "top_k is 1 to 1024 for an answer to be scored");
    auto share = [](float value) { return value >= 0 && value <= 1; };
    if (!share(profile.top_p) || !share(profile.min_p))
        return fail(ErrorCode::invalid_argument, "top_p and min_p are 0 to 1 for an answer to be scored");
    if (profile.seed == random_seed)
        return fail(ErrorCode::invalid_argument, "the seed 4294967295 means a random one, which nobody can replay");
    if (profile.max_tokens > 1'000'000) return fail(ErrorCode::invalid_argument, "max_tokens is at most 1000000");
    return {};
}

std::uint32_t seed_of(const Nonce& nonce) {
    crypto::Digest digest = crypto::sha256({as_bytes("planetserve sampling seed v1"), nonce.bytes()});
    return load_big_endian<std::uint32_t>(ByteView(digest).first(4)) & 0x7fffffff;
}

std::uint32_t seed_of(const SamplingProfile& profile, const Nonce& nonce) {
    return profile.seed ? *profile.seed : seed_of(nonce);
}

double SamplingDraws::next() {
    double low = static_cast<double>(twister_());
    double high = static_cast<double>(twister_());
    double drawn = (low + high * 0x1p32) * 0x1p-64;
    return drawn < 1 ? drawn : std::nextafter(1.0, 0.0);  // the sum may have been rounded up to 2^64
}

CompanionDraws::CompanionDraws(const Nonce& nonce)
    : key_(crypto::sha256({as_bytes("planetserve companion draws v1"), nonce.bytes()})) {}

double CompanionDraws::next() {
    std::uint32_t place = drawn_ % 4;
    if (place == 0) {
        Bytes counter;
        ByteWriter(counter).u32(drawn_ / 4);
        block_ = crypto::sha256({ByteView(key_), ByteView(counter)});
    }
    ++drawn_;
    auto bits = load_big_endian<std::uint64_t>(ByteView(block_).subspan(std::size_t{8} * place, 8)) >> 11;
    return static_cast<double>(bits) * 0x1p-53;
}

}  // namespace planetserve::scoring
