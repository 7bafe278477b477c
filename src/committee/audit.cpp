#include "committee/audit.h"

#include "committee/header_verifier.h"

namespace planetserve::committee {

namespace {

// A chain is audited however old it is; this is the longest period that the light client takes.
constexpr auto whole_history = std::chrono::hours(24 * 365 * 100);

lightclient::Options light_options() {
    lightclient::Options options;
    options.trusting_period = whole_history;
    return options;
}

std::vector<AuditedVote> votes_on(const verification::Ballots& ballots, const NodeId& node) {
    std::vector<AuditedVote> votes;
    for (const auto& [verifier, ballot] : ballots) {
        if (!ballot.revealed) continue;
        for (const auto& score : ballot.scores)
            if (score.node == node && score.outcome != verification::Outcome::inconclusive)
                votes.push_back({verifier, score.outcome, score.credit});
    }
    return votes;
}

}  // namespace

Result<Audit> Audit::begin(const Genesis& genesis) {
    auto validators = consensus_validators(genesis);
    if (!validators) return std::unexpected(validators.error());
    return Audit(genesis, std::move(*validators));
}

Audit::Audit(const Genesis& genesis, lightclient::ValidatorSet validators)
    : registry_(genesis),
      validators_(validators),
      light_(genesis.consensus_chain_id(), std::move(validators), light_options()) {}

Result<BlockFindings> Audit::add(const lightclient::LightBlock& block, const std::vector<Bytes>& transactions,
                                 UnixTime now) {
    const std::int64_t height = block.header.height;
    auto refuse = [&](const std::string& why) {
        return fail(ErrorCode::authentication, "block " + std::to_string(height) + ": " + why);
    };
    if (height != registry_.height() + 1)
        return refuse("the block after " + std::to_string(registry_.height()) + " was asked for");
    if (auto checked = light_.update(block, lightclient::Timestamp::from(now)); !checked)
        return refuse(checked.error().message);
    if (block.header.app_hash != to_bytes(ByteView(registry_.app_hash())))
        return refuse("it states another hash than its blocks before lead to");
    // Votes are settled as a block begins, and gone where another epoch begins with it.
    verification::Ballots ballots;
    if (const auto* state = registry_.verification()) ballots = state->ballots();
    registry_.begin_block(height, block.header.time.to_unix_time());
    // A refused transaction changes nothing, or what the refusal itself changes: both belong to the replay.
    for (const Bytes& transaction : transactions) (void)registry_.apply(transaction);
    registry_.commit();
    BlockFindings findings;
    findings.height = height;
    if (registry_.verification() != nullptr) {
        find_equivocations(findings);
        find_changes(ballots, findings);
    }
    return findings;
}

void Audit::find_equivocations(BlockFindings& findings) {
    const auto& state = *registry_.verification();
    for (const auto& [verifier, power] : state.verifiers().powers()) {
        const std::uint32_t now = state.record(verifier).equivocations;
        if (std::exchange(equivocations_[verifier], now) != now)
            findings.equivocations.push_back({state.epoch().number, verifier});
    }
}

void Audit::find_changes(const verification::Ballots& ballots, BlockFindings& findings) {
    const auto& state = *registry_.verification();
    for (const auto& [node, standing] : state.standings()) {
        auto& known = reputations_.try_emplace(node, state.parameters().initial).first->second;
        const auto before = std::exchange(known, standing.reputation);
        if (before == known) continue;
        findings.changes.push_back({static_cast<std::uint64_t>(standing.last_epoch), node, before, known,
                                    state.trusted(node), votes_on(ballots, node)});
    }
}

}  // namespace planetserve::committee
