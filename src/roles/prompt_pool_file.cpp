#include "roles/prompt_pool_file.h"

#include "base/files.h"

namespace planetserve::roles {

Result<verification_agent::PromptPool> read_prompt_pool(const std::filesystem::path& file) {
    auto text = read_file(file, verification_agent::PromptPool::largest_file);
    if (!text) return std::unexpected(text.error());
    auto pool = verification_agent::PromptPool::parse(*text);
    if (!pool) return fail(pool.error().code, file.string() + ": " + pool.error().message);
    return pool;
}

Result<verification_agent::PromptPool> load_prompt_pool(const std::optional<std::filesystem::path>& file,
                                                        const std::optional<crypto::Digest>& genesis) {
    if (!file && !genesis) return verification_agent::PromptPool();
    if (!file)
        return fail(ErrorCode::not_found, "challenges of this network are made of a file with the SHA-256 " +
                                              to_hex(*genesis) + "; name it as 'prompt_pool' (its founders have it)");
    if (!genesis)
        return fail(ErrorCode::invalid_argument,
                    "'prompt_pool' is given, but the genesis has none; a network is founded with one, by planetserve "
                    "genesis --prompt-pool");
    auto pool = read_prompt_pool(*file);
    if (!pool) return pool;
    if (pool->digest() != *genesis)
        return fail(ErrorCode::invalid_argument, file->string() + " has the SHA-256 " + to_hex(pool->digest()) +
                                                     ", and that of the genesis is " + to_hex(*genesis));
    return pool;
}

}  // namespace planetserve::roles
