// The conversations that a committee uses as challenges (docs/protocols/verification.md, "Challenges"). Anybody who
// knows them recognises a challenge, so they are the committee's secret: its members share the file, and the genesis
// holds only the file's SHA-256.
//
// Each line of the file is a JSON array of messages for OpenAI's chat API. A message is an object with the texts `role`
// and `content`; the last message is the user's:
//
//     [{"role":"system","content":"You are ..."},{"role":"user","content":"Why is ...?"}]
#pragma once

#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "crypto/hash.h"

namespace planetserve::verification_agent {

class PromptPool {
public:
    static constexpr std::size_t largest_file = 64 << 20;   // bytes
    static constexpr std::size_t largest_prompt = 8 << 10;  // of a line
    static constexpr std::size_t fewest = 100;              // conversations; model nodes would soon know fewer

    // An empty pool: challenges are made-up questions, which everybody can read in this program.
    PromptPool() = default;
    // Error: malformed, with the line and the fault; exhausted when the file is too large.
    static Result<PromptPool> parse(std::string_view text);

    bool empty() const { return prompts_.empty(); }
    std::size_t size() const { return prompts_.size(); }
    // Of the file; the genesis holds the same.
    const crypto::Digest& digest() const { return digest_; }
    // The messages of a conversation, a JSON array in one line.
    // Requires: not empty.
    const std::string& pick(Random& random) const { return prompts_[random.below(prompts_.size())]; }

private:
    std::vector<std::string> prompts_;
    crypto::Digest digest_{};
};

}  // namespace planetserve::verification_agent
