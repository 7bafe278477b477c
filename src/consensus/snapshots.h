// Snapshots of the registry. With one, a validator joins without repeating every block (docs/protocols/committee.md).
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

// The snapshots that this node offers: of every 500th height, and of the first height after its start. It keeps the
// newest two, in memory.
class OfferedSnapshots {
public:
    // Call it after each block that was committed.
    void on_commit(const committee::Registry& registry);
    void list(abci::ResponseListSnapshots& out) const;
    // Empty for a chunk that is not there.
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

// A snapshot that is being fetched. Its chunks come in order. The state that they make must have the hash that the
// light client found in the header after its height.
class IncomingSnapshot {
public:
    // Fails for a snapshot that is too large, of another format, or without its time.
    static Result<IncomingSnapshot> begin(const abci::Snapshot& offer, ByteView app_hash, std::size_t maximum_size);

    std::uint32_t chunks() const { return chunks_; }
    std::uint32_t next() const { return next_; }
    bool complete() const { return next_ == chunks_; }
    // Fails for a chunk of a wrong size. Requires: not complete().
    Status add(ByteView chunk);
    // Fails when the state is not the one that was offered; the registry is then unusable. Requires: complete().
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
