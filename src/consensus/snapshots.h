// Snapshots of the registry, by which a validator joins without repeating every block (docs/protocols/committee.md).
// Pure. Not thread-safe.
#pragma once

#include <deque>
#include <optional>

#include "committee/registry.h"

namespace planetserve::abci {
class Snapshot;
class ResponseListSnapshots;
}  // namespace planetserve::abci

namespace planetserve::consensus {

// Those that this node offers: of every 500th height, and of the first one after its start; the newest two, in memory.
class OfferedSnapshots {
public:
    // After each block that is kept.
    void on_commit(const committee::Registry& registry);
    void list(abci::ResponseListSnapshots& out) const;
    // Empty for one that is not there.
    Bytes chunk(std::uint64_t height, std::uint32_t format, std::uint32_t index) const;

private:
    struct Offered {
        std::int64_t height = 0;
        UnixTime time;
        crypto::Digest hash{};  // of the state
        Bytes state;
    };
    std::deque<Offered> offered_;
};

// One that is being fetched. Its chunks come in order; what they make must hash to what the light client found in the
// header after its height.
class IncomingSnapshot {
public:
    // Nothing is kept of one that is too large, of another format or does not say its time.
    static Result<IncomingSnapshot> begin(const abci::Snapshot& offer, ByteView app_hash, std::size_t maximum_size);

    std::uint32_t chunks() const { return chunks_; }
    std::uint32_t next() const { return next_; }
    bool complete() const { return next_ == chunks_; }
    // REQUIRES: not complete. Fails for a chunk of a wrong size.
    Status add(ByteView chunk);
    // REQUIRES: complete. Fails, and leaves the registry as it was or unusable, when it is not what was offered.
    Status restore(committee::Registry& registry) const;

private:
    std::int64_t height_ = 0;
    UnixTime time_;
    crypto::Digest hash_{};
    Bytes app_hash_;
    std::uint32_t chunks_ = 0;
    std::uint32_t next_ = 0;
    Bytes state_;
};

}  // namespace planetserve::consensus
