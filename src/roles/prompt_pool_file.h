// The file of conversations that a committee's challenges are made from, checked against the genesis.
#pragma once

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "crypto/hash.h"
#include "verification_agent/prompt_pool.h"

namespace planetserve::roles {

// The error names the file.
Result<verification_agent::PromptPool> read_prompt_pool(const std::filesystem::path& file);
// Empty where neither a file nor a digest is given. The error says which of the two is missing, or that they differ.
Result<verification_agent::PromptPool> load_prompt_pool(const std::optional<std::filesystem::path>& file,
                                                        const std::optional<crypto::Digest>& genesis);

}  // namespace planetserve::roles
