// What a model node signs of an answer, so that any verifier can score it and the node cannot deny it.
#pragma once

#include <string>
#include <vector>

#include "crypto/identity.h"
#include "scoring/answer_score.h"

namespace planetserve::scoring {

struct AnswerRecord {
    std::string model = {};       // as the registry names it, 1 to 255 bytes
    crypto::Digest request = {};  // SHA-256 of the request's body as the asker sent it
    Nonce nonce = {};             // the asker's, with that request
    SamplingProfile profile = {};
    FinishReason finish = FinishReason::end_of_text;
    std::vector<TokenId> tokens = {};  // with the one that ended the text; at most 131,072

    bool operator==(const AnswerRecord&) const = default;
};

inline constexpr std::size_t record_token_limit = 131'072;

// One byte string for each record: version 1 (1), size of the model's name (1), the name, request (32), nonce (32), the
// temperature as an IEEE 754 single (4), top_k (2), 1 if the seed is the asker's or 0 (1), that seed or 0 (4),
// max_tokens (4), finish reason (1), number of tokens (4), tokens (4 each). invalid_argument: outside the limits, or
// not scorable.
Result<Bytes> encode(const AnswerRecord& record);
// malformed: not what encode() gives for any record.
Result<AnswerRecord> parse_answer_record(ByteView bytes);

// Under the context "planetserve answer v1".
Result<crypto::Signature> sign(const AnswerRecord& record, const crypto::Identity& node);
[[nodiscard]] bool verify(const AnswerRecord& record, const NodeId& node, const crypto::Signature& signature);

}  // namespace planetserve::scoring
