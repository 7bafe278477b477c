// The conversations that a committee's challenges are made of (docs/protocols/verification.md, "Challenges"). Whoever
// knows them knows a challenge when it comes, so they are the committee's secret: its members give each other the file,
// and the genesis says only what the file's SHA-256 is.
//
// A file of lines; each is a JSON array of messages as OpenAI's chat API takes them, each an object of a `role` and a
// `content` that are texts, the last one the user's:
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
    static constexpr std::size_t fewest = 100;              // conversations

    // None: challenges ask questions of this program's own making, which everybody can read in it.
    PromptPool() = default;
    // malformed: names the line and what is wrong; exhausted: the file is too large.
    static Result<PromptPool> parse(std::string_view text);

    bool empty() const { return prompts_.empty(); }
    std::size_t size() const { return prompts_.size(); }
    // Of the file, as the genesis has it.
    const crypto::Digest& digest() const { return digest_; }
    // The messages of one of them, a JSON array in one line. REQUIRES: not empty.
    const std::string& pick(Random& random) const { return prompts_[random.below(prompts_.size())]; }

private:
    std::vector<std::string> prompts_;
    crypto::Digest digest_{};
};

}  // namespace planetserve::verification_agent
