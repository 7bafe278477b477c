// Base64 (RFC 4648, section 4, with padding), in which CometBFT's JSON has keys, signatures and transactions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace planetserve::crypto {

std::string to_base64(ByteView bytes);
// Nothing for a text that to_base64 would not have written: each string of bytes has one text.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace planetserve::crypto
