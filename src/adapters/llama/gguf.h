// What a GGUF file says of its model's KV cache and vocabulary (the format: ggml/docs/gguf.md).
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace planetserve::adapters {

// Bytes of keys and values that a token takes in the cache, at two bytes a number, as llama-server keeps them by
// default: over all layers, heads of keys and values times their lengths. Reads the beginning of the file only.
// Errors: io; malformed: no GGUF file of version 2 or 3, or one that lacks what is needed, which is named.
Result<std::uint64_t> kv_bytes_per_token(const std::filesystem::path& file);

// The token by which the model ends what it says: of a turn where the file names one, else of a text. Reads past the
// whole vocabulary. Errors as above.
Result<std::uint32_t> end_token(const std::filesystem::path& file);

}  // namespace planetserve::adapters
