#include "lightclient/light_client.h"

#include <stdexcept>

namespace planetserve::lightclient {

namespace {

std::unexpected<Refusal> refuse_block(Reason reason, std::string message) {
    return std::unexpected(Refusal{reason, std::move(message)});
}

}  // namespace

LightClient::LightClient(std::string chain_id, ValidatorSet genesis, Options options)
    : chain_id_(std::move(chain_id)), genesis_(std::move(genesis)), options_(options) {
    const Fraction& level = options_.trust_level;
    if (level.denominator < 1 || level.denominator > 8 || level.numerator > level.denominator ||
        3 * level.numerator < level.denominator)
        throw std::invalid_argument("the trust level must be from 1/3 to 1");
    if (chain_id_.empty() || chain_id_.size() > maximum_chain_id_size)
        throw std::invalid_argument("a chain id has 1 to 50 bytes");
    if (options_.trusting_period <= 0s || options_.trusting_period > std::chrono::years(100) ||
        options_.maximum_clock_drift < 0s || options_.maximum_clock_drift > std::chrono::hours(24))
        throw std::invalid_argument("the trusting period or the clock drift is out of range");
}

Checked LightClient::update(const LightBlock& block, Timestamp now) {
    if (fork_)
        return refuse_block(Reason::forked, "the validators signed two blocks of height " +
                                                std::to_string(fork_->first.header.height) +
                                                "; no further block is taken");
    std::string name = "block " + std::to_string(block.header.height);
    if (block.header.chain_id != chain_id_)
        return refuse_block(Reason::invalid,
                            name + " is of chain '" + block.header.chain_id + "', not '" + chain_id_ + "'");
    const auto& known = latest_ ? latest_ : before_restart_;
    if (known && block.header.height < known->header.height)
        return refuse_block(Reason::stale,
                            name + " is below block " + std::to_string(known->header.height) + ", which was in hand");
    if (known && block.header.height == known->header.height) {
        if (hash(block.header) != hash(known->header)) return check_same_height(block);
        if (latest_) return {};
    }
    auto checked =
        latest_ ? verify({latest_->header, latest_->validators}, block, options_, now) : check_first(block, now);
    if (!checked) return checked;
    latest_ = block;
    before_restart_.reset();
    return {};
}

Checked LightClient::check_first(const LightBlock& block, Timestamp now) const {
    std::string name = "block " + std::to_string(block.header.height);
    if (block.header.time + options_.trusting_period <= now)
        return refuse_block(Reason::expired, name + " is too old to begin with");
    if (block.header.time >= now + options_.maximum_clock_drift)
        return refuse_block(Reason::from_future, name + " is ahead of this machine's clock");
    if (auto checked = check_consistency(block); !checked) return checked;
    if (block.header.height == 1 && block.validators.hash() != genesis_.hash())
        return refuse_block(Reason::invalid, "block 1 has other validators than the genesis");
    SignatureCount count(block);
    if (auto checked = count.more_than({2, 3}, genesis_, Reason::not_enough_trust); !checked) return checked;
    return count.more_than({2, 3}, block.validators, Reason::invalid);
}

// Another block of the same height is a fork if the client would have accepted it instead of the block in hand.
Checked LightClient::check_same_height(const LightBlock& block) {
    const LightBlock& known = latest_ ? *latest_ : *before_restart_;
    if (auto checked = check_consistency(block); !checked) return checked;
    SignatureCount count(block);
    if (auto checked = count.more_than(options_.trust_level, known.validators, Reason::invalid); !checked)
        return checked;
    if (auto checked = count.more_than({2, 3}, block.validators, Reason::invalid); !checked) return checked;
    fork_.emplace(known, block);
    return refuse_block(Reason::forked, "block " + std::to_string(block.header.height) +
                                            " is another than the one in hand, and signed too");
}

std::optional<std::chrono::milliseconds> LightClient::age(Timestamp now) const {
    if (!latest_) return std::nullopt;
    return now.to_unix_time() - latest_->header.time.to_unix_time();
}

std::int64_t LightClient::halfway(std::int64_t height) const {
    std::int64_t from = latest_ ? latest_->header.height : before_restart_ ? before_restart_->header.height : 0;
    return from + std::max<std::int64_t>(1, (height - from) / 2);
}

void LightClient::restart() {
    if (!latest_) return;
    before_restart_ = std::move(latest_);
    latest_.reset();
}

Bytes LightClient::keep() const { return latest_ ? encode(*latest_) : Bytes{}; }

Checked LightClient::adopt(ByteView kept) {
    auto block = parse_light_block(kept);
    if (!block) return refuse_block(Reason::invalid, block.error().message);
    if (block->header.chain_id != chain_id_)
        return refuse_block(Reason::invalid, "a kept block of chain '" + block->header.chain_id + "'");
    if (auto checked = check_consistency(*block); !checked) return checked;
    SignatureCount count(*block);
    if (auto checked = count.more_than({2, 3}, block->validators, Reason::invalid); !checked) return checked;
    latest_ = *std::move(block);
    return {};
}

}  // namespace planetserve::lightclient
