#include "committee/header_verifier.h"

#include <algorithm>

namespace planetserve::committee {

namespace {

std::optional<lightclient::ValidatorSet> validators_of(const Genesis& genesis) {
    if (!genesis.is_committee()) return std::nullopt;
    // A genesis that was parsed is within its limits.
    return consensus_validators(genesis).value();
}

std::optional<lightclient::LightClient> client_of(const Genesis& genesis,
                                                  const std::optional<lightclient::ValidatorSet>& validators) {
    if (!validators) return std::nullopt;
    lightclient::Options options;
    options.maximum_clock_drift = std::min<std::chrono::milliseconds>(
        std::chrono::milliseconds(genesis.parameters.clock_tolerance_ms), std::chrono::hours(24));
    return lightclient::LightClient(genesis.consensus_chain_id(), *validators, options);
}

Result<lightclient::LightBlock> block_of(const StateHeader& header) {
    if (header.light_block.empty())
        return fail(ErrorCode::authentication, "a list without the header of the committee's chain that proves it");
    return lightclient::parse_light_block(header.light_block);
}

}  // namespace

Result<lightclient::ValidatorSet> consensus_validators(const Genesis& genesis) {
    std::vector<lightclient::Validator> validators;
    for (const auto& validator : genesis.validators)
        validators.push_back({validator.id, static_cast<std::int64_t>(validator.power)});
    return lightclient::ValidatorSet::make(std::move(validators));
}

HeaderVerifier::HeaderVerifier(const Genesis& genesis)
    : genesis_(genesis),
      network_(genesis.network()),
      validators_(validators_of(genesis)),
      light_(client_of(genesis, validators_)) {}

Status HeaderVerifier::verify(const StateHeader& header, UnixTime now) {
    if (!light_) return verify_header(header, genesis_, network_);
    auto block = block_of(header);
    if (!block) return std::unexpected(block.error());
    if (auto checked = check_fields(header, *block); !checked) return checked;
    auto time = lightclient::Timestamp::from(now);
    auto checked = light_->update(*block, time);
    if (!checked && checked.error().reason == lightclient::Reason::expired && light_->latest()) {
        // This client slept too long; the genesis is trusted still.
        light_->restart();
        checked = light_->update(*block, time);
    }
    if (checked) return {};
    return fail(ErrorCode::authentication, "the list's proof is not taken: " + checked.error().message);
}

Status HeaderVerifier::adopt(const StateHeader& header) {
    if (!light_) return verify_header(header, genesis_, network_);
    auto block = block_of(header);
    if (!block) return std::unexpected(block.error());
    if (auto checked = check_fields(header, *block); !checked) return checked;
    // The set of validators does not change; were it to, a kept block could name others than the genesis does.
    if (block->validators != *validators_)
        return fail(ErrorCode::authentication, "a kept list of other validators than the genesis names");
    auto adopted = light_->adopt(header.light_block);
    if (!adopted) return fail(ErrorCode::authentication, "the kept list's proof is wrong: " + adopted.error().message);
    return {};
}

Status HeaderVerifier::check_fields(const StateHeader& header, const lightclient::LightBlock& block) const {
    if (header.height != block.header.height || header.time != block.header.time.to_unix_time() ||
        !std::ranges::equal(header.app_hash, block.header.app_hash))
        return fail(ErrorCode::authentication, "a list's header that says other than the block which proves it");
    return {};
}

}  // namespace planetserve::committee
