#include "consensus/state_proofs.h"

#include <algorithm>

namespace planetserve::consensus {

namespace {

constexpr std::size_t large_state = 512 * 1024;  // bytes
constexpr Duration large_state_every = 1s;
// States whose headers have not come yet; a header comes within a few milliseconds.
constexpr std::size_t maximum_kept = 4;

}  // namespace

void StateProofs::on_decided(std::int64_t height, const committee::Registry& registry, Time now) {
    if (header_ && header_->app_hash == registry.app_hash()) return;
    if (state_.size() > large_state && kept_large_ && now - *kept_large_ < large_state_every) return;
    Bytes state = registry.serialise();
    if (state.size() > large_state) kept_large_ = now;
    kept_[height] = {registry.app_hash(), std::move(state)};
    if (kept_.size() > maximum_kept) kept_.erase(kept_.begin());
}

void StateProofs::on_block(const lightclient::LightBlock& block) {
    std::int64_t height = block.header.height;
    if (header_ && height <= header_->height) return;
    auto is = [&](const crypto::Digest& hash) { return std::ranges::equal(hash, block.header.app_hash); };
    auto found = kept_.find(height);
    crypto::Digest hash{};
    if (found != kept_.end() && is(found->second.app_hash)) {
        hash = found->second.app_hash;
        state_ = std::move(found->second.state);
    } else if (header_ && is(header_->app_hash)) {
        hash = header_->app_hash;
    } else {
        return;
    }
    kept_.erase(kept_.begin(), kept_.upper_bound(height));
    header_ = committee::StateHeader{height, block.header.time.to_unix_time(), hash, {}, lightclient::encode(block)};
}

}  // namespace planetserve::consensus
