#include "crypto/base64.h"

#include <sodium.h>

namespace planetserve::crypto {

namespace {

constexpr int plain = sodium_base64_VARIANT_ORIGINAL;
constexpr int url = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

std::string encode(ByteView bytes, int variant) {
    std::string text(sodium_base64_encoded_len(bytes.size(), variant), '\0');  // includes a null byte at the end
    sodium_bin2base64(text.data(), text.size(), bytes.data(), bytes.size(), variant);
    text.pop_back();
    return text;
}

std::optional<Bytes> decode(std::string_view text, int variant) {
    if (text.empty()) return Bytes{};
    Bytes bytes(text.size() / 4 * 3 + 3);
    std::size_t size = 0;
    if (sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), nullptr, &size, nullptr, variant) != 0)
        return std::nullopt;
    bytes.resize(size);
    return bytes;
}

}  // namespace

std::string to_base64(ByteView bytes) { return encode(bytes, plain); }
std::optional<Bytes> from_base64(std::string_view text) { return decode(text, plain); }
std::string to_base64url(ByteView bytes) { return encode(bytes, url); }
std::optional<Bytes> from_base64url(std::string_view text) { return decode(text, url); }

}  // namespace planetserve::crypto
