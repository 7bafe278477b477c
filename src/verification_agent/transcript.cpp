#include "verification_agent/transcript.h"

#include <algorithm>

namespace planetserve::verification_agent {

namespace {

std::unexpected<Error> malformed(std::string what) {
    return fail(ErrorCode::malformed, "transcript: " + std::move(what));
}

IdempotencyId id_of(std::string_view purpose, const ChallengeSeed& seed) {
    auto digest = crypto::sha256({as_bytes(purpose), seed.bytes()});
    IdempotencyId id;
    std::copy_n(digest.begin(), IdempotencyId::size, id.value.begin());
    return id;
}

auto place(const TranscriptEntry& entry) { return std::pair(entry.asked, entry.index); }

}  // namespace

Bytes serialise(const Transcript& transcript) {
    Bytes out;
    ByteWriter writer(out);
    writer.u8(1);
    writer.u64(transcript.epoch);
    writer.u32(static_cast<std::uint32_t>(transcript.entries.size()));
    for (const TranscriptEntry& entry : transcript.entries) {
        writer.bytes(entry.asked.bytes());
        writer.u32(entry.index);
        writer.u8(static_cast<std::uint8_t>(entry.model.size()));
        writer.bytes(as_bytes(entry.model));
        Bytes answer = entry.answer ? scoring::serialise(*entry.answer) : Bytes();
        writer.u32(static_cast<std::uint32_t>(answer.size()));
        writer.bytes(answer);
    }
    return out;
}

Result<Transcript> parse_transcript(ByteView bytes) {
    if (bytes.size() > Transcript::largest) return malformed("too large");
    ByteReader reader(bytes);
    if (reader.u8() != 1) return malformed("of another version");
    Transcript transcript{.epoch = reader.u64()};
    std::uint32_t count = reader.u32();
    constexpr std::size_t least = 32 + 4 + 1 + 4;
    if (count > reader.remaining() / least) return malformed("more entries than bytes");
    transcript.entries.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        TranscriptEntry entry;
        entry.asked.value = reader.array<32>();
        entry.index = reader.u32();
        entry.model = std::string(as_text(reader.bytes(reader.u8())));
        if (entry.model.size() > scoring::SignedAnswer::longest_model) return malformed("a model's name is too long");
        ByteView answer = reader.bytes(reader.u32());
        if (!reader.ok()) return malformed("cut off");
        if (!answer.empty()) {
            auto parsed = scoring::parse_signed_answer(answer);
            if (!parsed) return std::unexpected(parsed.error());
            entry.answer = std::move(*parsed);
        }
        if (!transcript.entries.empty() && place(transcript.entries.back()) >= place(entry))
            return malformed("out of order");
        transcript.entries.push_back(std::move(entry));
    }
    if (!reader.ok() || reader.remaining() != 0) return malformed("of another size");
    return transcript;
}

crypto::Digest digest_of(ByteView serialised) {
    return crypto::sha256({as_bytes("planetserve transcript v1"), serialised});
}

IdempotencyId request_id(const ChallengeSeed& seed) { return id_of("planetserve challenge request v1", seed); }

IdempotencyId recheck_id(const ChallengeSeed& seed) { return id_of("planetserve recheck request v1", seed); }

Status check(const Transcript& transcript, const verification::ChallengePlan& plan, const PromptPool& pool) {
    for (const TranscriptEntry& entry : transcript.entries) {
        const std::string who = "node " + entry.asked.brief();
        if (!plan.challenged(entry.asked)) return fail(ErrorCode::invalid_argument, who + " is not in the plan");
        if (entry.index >= plan.challenges) return fail(ErrorCode::invalid_argument, who + " was asked too often");
        if (!entry.answer) continue;
        auto seed = plan.prompt_seed(entry.asked, entry.index);
        auto challenge = make_challenge(seed, entry.model, pool);
        if (entry.answer->nonce != scoring::nonce_of(request_id(seed)) ||
            entry.answer->request != crypto::sha256(as_bytes(challenge.body)) || entry.answer->model != entry.model)
            return fail(ErrorCode::invalid_argument, "the answer of " + who + " is not to what the plan asks");
        if (auto signature = scoring::verify(*entry.answer); !signature) return signature;
    }
    return {};
}

}  // namespace planetserve::verification_agent
