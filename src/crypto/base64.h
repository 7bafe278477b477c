// Base64 of RFC 4648: that of section 4 with padding, in which CometBFT's JSON has keys, signatures and transactions;
// and that of section 5 without padding, which a person can paste anywhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace planetserve::crypto {

std::string to_base64(ByteView bytes);
// Empty for a text that to_base64 does not write, so each byte string has exactly one text.
std::optional<Bytes> from_base64(std::string_view text);

std::string to_base64url(ByteView bytes);
// As from_base64, of to_base64url.
std::optional<Bytes> from_base64url(std::string_view text);

}  // namespace planetserve::crypto
