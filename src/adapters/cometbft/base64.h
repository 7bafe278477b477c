// Base64 (RFC 4648, with padding), in which CometBFT's JSON has keys, signatures and transactions.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"

namespace planetserve::adapters {

std::string to_base64(ByteView bytes);
// Nothing for what to_base64 would not have written.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace planetserve::adapters
