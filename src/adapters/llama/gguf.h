// Reads from a GGUF file what it says of its model's KV cache and vocabulary (the format: ggml/docs/gguf.md).
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace planetserve::adapters {

// Bytes of keys and values that a token takes in the cache, at two bytes a number, which is llama-server's default:
// over all layers, heads of keys and values times their lengths. Reads only the beginning of the file. Errors: io;
// malformed: not a GGUF file of version 2 or 3, or a key is missing, which the message names.
Result<std::uint64_t> kv_bytes_per_token(const std::filesystem::path& file);

// The token that ends the model's answers: the one that ends a turn where the file names it, else the one that ends a
// text. Reads past the whole vocabulary. Errors as above.
Result<std::uint32_t> end_token(const std::filesystem::path& file);

}  // namespace planetserve::adapters
