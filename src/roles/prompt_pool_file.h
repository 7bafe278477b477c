// The file that a committee's challenges are made of, beside what the genesis says of it.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "crypto/hash.h"
#include "verification_agent/prompt_pool.h"

namespace planetserve::roles {

// The error names the file.
Result<verification_agent::PromptPool> read_prompt_pool(const std::filesystem::path& file);
// Empty where neither is given. The error says which of the two is missing, or that they are not the same.
Result<verification_agent::PromptPool> load_prompt_pool(const std::optional<std::filesystem::path>& file,
                                                        const std::optional<crypto::Digest>& genesis);

}  // namespace planetserve::roles
