// A model node's signed statement of its answer to a request (docs/protocols/scoring.md, "Signed answers").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"
#include "crypto/identity.h"
#include "scoring/answer_score.h"

namespace planetserve::scoring {

// The nonce of a request: SHA-256("planetserve nonce v1" || idempotency id), which the user drew at random.
Nonce nonce_of(const IdempotencyId& request);

struct SignedAnswer {
    static constexpr std::size_t most_tokens = 1 << 16;
    static constexpr std::size_t longest_model = 128;
    static constexpr std::size_t largest = 32 + 64 + 32 + 32 + 1 + longest_model + 1 + 4 + 4 + 4 * most_tokens;

    NodeId node{};
    std::string model{};  // its name in the request
    Nonce nonce{};
    crypto::Digest request{};  // SHA-256 of the request's body, as the user sent it
    FinishReason finish = FinishReason::end_of_text;
    std::uint32_t prompt_tokens = 0;
    std::vector<TokenId> tokens{};
    crypto::Signature signature{};

    bool operator==(const SignedAnswer&) const = default;
};

// Fills in node and signature.
// Requires: within the limits above.
void sign(SignedAnswer& answer, const crypto::Identity& node);
// Error: authentication when the node that it names did not sign it.
Status verify(const SignedAnswer& answer);

Bytes serialise(const SignedAnswer& answer);
// Does not verify. Error: malformed, also beyond the limits.
Result<SignedAnswer> parse_signed_answer(ByteView bytes);

}  // namespace planetserve::scoring
