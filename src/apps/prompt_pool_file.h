// The file that a committee's challenges are made of, beside what the genesis says of it.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "crypto/hash.h"
#include "verifier/prompt_pool.h"

namespace planetserve::apps {

// The error names the file.
Result<verifier::PromptPool> read_prompt_pool(const std::filesystem::path& file);
// Empty where neither is given. The error says which of the two is missing, or that they are not the same.
Result<verifier::PromptPool> load_prompt_pool(const std::optional<std::filesystem::path>& file,
                                              const std::optional<crypto::Digest>& genesis);

}  // namespace planetserve::apps
