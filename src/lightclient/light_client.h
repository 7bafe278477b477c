// Follows a chain from its genesis, trusting nothing else.
//
//     LightClient client("planetserve-1", *ValidatorSet::make(genesis_validators), {});
//     auto checked = client.update(block, Timestamp::from(clock.unix_now()));
//     if (checked) use(client.latest()->header.app_hash);      // the state after the previous block
//
// The first block may have any height. It must be within the trusting period, and more than 2/3 of the power of the
// genesis and more than 2/3 of the power of its own validators must have signed it. Block 1 must have the validators of
// the genesis. So a caller begins with the newest block. From then on the client verifies each block by the block in
// hand (verify.h) and accepts only greater heights. The caller fetches blocks from full nodes, which it need not trust.
//
// What to do about a refusal:
//
// - not_enough_trust: the validators changed too much since the block in hand. Fetch block halfway(height), update with
//   it, and try again. At most 63 halvings lead to the next height. With a block in hand, that one is never refused so.
//   Without one it is if too few of the genesis validators signed it; then no block helps.
// - expired: the block in hand is older than the trusting period. Call restart(), then begin with the genesis again.
//   Or: this would be the first block, and it is older than that.
// - stale: this node is behind or withholds blocks. Ask another node.
// - from_future: one of the clocks is wrong.
// - invalid: the node that sent the block lies. Ask another node.
// - forked: validators signed two blocks of one height; fork() is the evidence. The client refuses all further updates.
//   A person must decide whom to believe.
//
// A client knows only what nodes send it. The caller decides whether latest() is recent enough; see age().
//
// The genesis never expires. An attacker with the keys of more than 2/3 of its power, perhaps of validators that left
// long ago, can mislead a client that begins with the genesis. A client that keeps its block (keep, adopt) is safe from
// that if it returns within the trusting period.
//
// Pure. Not thread-safe. Holds one light block, another after restart(), and two more after a fork.
#pragma once

#include "lightclient/verify.h"

namespace planetserve::lightclient {

class LightClient {
public:
    // Throws std::invalid_argument unless trust_level is from 1/3 to 1 with a denominator of at most 8, the trusting
    // period is above 0 and at most 100 years, the clock drift is at most a day, and the chain id has 1 to 50 bytes.
    LightClient(std::string chain_id, ValidatorSet genesis, Options options);

    // Accepts a block or says why not. A refusal changes nothing, except that a fork is recorded. The block in hand is
    // accepted again and changes nothing.
    Checked update(const LightBlock& block, Timestamp now);

    // The block in hand: the newest trusted block.
    const std::optional<LightBlock>& latest() const { return latest_; }
    // Two validly signed blocks of one height; the client trusted the first.
    const std::optional<std::pair<LightBlock, LightBlock>>& fork() const { return fork_; }
    // The age of the block in hand, by its own time; empty without a block. Negative, by at most the clock drift, if
    // its time is ahead of `now`.
    std::optional<std::chrono::milliseconds> age(Timestamp now) const;
    // The height to verify first when a block was refused as not_enough_trust. REQUIRES: height is above that of the
    // block in hand.
    std::int64_t halfway(std::int64_t height) const;

    // Forgets the block in hand, so that the next one is verified by the genesis. The client still refuses lower
    // heights, and another block of the same height.
    void restart();
    // The bytes to keep on disk; empty without a block in hand. The client trusts this file like its own program:
    // adopt() checks only that the block is undamaged, of this chain, and signed by its own validators.
    // REQUIRES: no block in hand (adopt).
    Bytes keep() const;
    Checked adopt(ByteView kept);

private:
    Checked check_first(const LightBlock& block, Timestamp now) const;
    Checked check_same_height(const LightBlock& block);

    std::string chain_id_;
    ValidatorSet genesis_;
    Options options_;
    std::optional<LightBlock> latest_;
    std::optional<LightBlock> before_restart_;
    std::optional<std::pair<LightBlock, LightBlock>> fork_;
};

}  // namespace planetserve::lightclient
