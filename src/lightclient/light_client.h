// Follows a chain from its genesis, trusting nothing else.
//
//     LightClient client("planetserve-1", *ValidatorSet::make(genesis_validators), {});
//     auto checked = client.update(block, Timestamp::from(clock.unix_now()));
//     if (checked) use(client.latest()->header.app_hash);      // of the state after the block before it
//
// The first block may be of any height: more than 2/3 of the genesis power must have signed it beside its own
// validators, the first height's validators must be those of the genesis, and it must be within the trusting period. So
// one begins with the newest block there is. From then on each block is verified by the one in hand (verify.h), and
// only greater heights are taken. The caller asks full nodes for blocks; what they answer is not believed, only
// checked. When a block is refused as
//
//   not_enough_trust  the validators changed too much since the block in hand: get halfway(height), update with it, and
//   try
//                     again; at most 63 halvings lead to an adjacent block, which is never refused so
//   expired           the block in hand is older than the trusting period: restart(), and begin with the genesis again.
//   Or it
//                     is the first one that is too old
//   stale             another node may be further; this one is behind or withholds blocks
//   from_future       one of the clocks is wrong
//   invalid           the node that gave it lies: ask another
//   forked            more than a third of the power signed two blocks of one height. fork() is the evidence. All
//   further
//                     updates are refused: a person must find out whom to believe.
//
// A client knows no more than it is told. Whether latest() is recent enough is for the caller: see age().
//
// Trust in the genesis does not end by itself. Whoever gets the keys of more than 2/3 of its power, also of validators
// that left long ago, can lead a client astray that begins with it. A client that keeps its block (keep, adopt) is safe
// from that as long as it comes back within the trusting period.
//
// Pure. Not thread-safe. Holds two light blocks at most.
#pragma once

#include "lightclient/verify.h"

namespace planetserve::lightclient {

class LightClient {
public:
    // REQUIRES: trust_level from 1/3 to 1, its denominator at most 8; a trusting period of at most 100 years, a clock
    // drift of at most a day; a chain id of 1 to 50 bytes. Throws std::invalid_argument otherwise.
    LightClient(std::string chain_id, ValidatorSet genesis, Options options);

    // Takes a block, or says why not; nothing changes then, but for a fork. The block in hand once more is taken, and
    // changes nothing.
    Checked update(const LightBlock& block, Timestamp now);

    // The block in hand, which is trusted.
    const std::optional<LightBlock>& latest() const { return latest_; }
    // Two validly signed blocks of one height, the first trusted before.
    const std::optional<std::pair<LightBlock, LightBlock>>& fork() const { return fork_; }
    // How long ago the block in hand was made, by its own time; nothing without one. Less than zero by a drift at most.
    std::optional<std::chrono::milliseconds> age(Timestamp now) const;
    // The height to verify first where a block of a height was refused for want of trust. REQUIRES: height is above
    // that of the block in hand.
    std::int64_t halfway(std::int64_t height) const;

    // Forgets the block in hand, except that none below it will be taken, nor another in its place.
    void restart();
    // What to keep on disk; empty without a block. The file is trusted like the program itself: adopt() checks only
    // that it was not damaged, is of this chain, and is signed by its validators. REQUIRES: no block in hand.
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
