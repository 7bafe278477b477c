// Base64 (RFC 4648, section 4, with padding). CometBFT's JSON has keys, signatures and transactions in it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace planetserve::crypto {

std::string to_base64(ByteView bytes);
// Empty for a text that to_base64 does not write, so each byte string has exactly one text.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace planetserve::crypto
