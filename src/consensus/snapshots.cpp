#include "consensus/snapshots.h"

#include <algorithm>

#include "base/requires.h"
#include "consensus/abci.pb.h"

namespace planetserve::consensus {

namespace {

constexpr std::uint32_t format = 1;
constexpr std::int64_t every = 500;          // blocks
constexpr std::size_t kept = 2;              // snapshots
constexpr std::size_t chunk_size = 1 << 20;  // bytes
constexpr std::size_t metadata_size = 8;     // the time, in milliseconds

// An empty state has a chunk too, which is empty.
std::uint32_t chunks_of(std::size_t size) {
    return static_cast<std::uint32_t>(std::max<std::size_t>(1, (size + chunk_size - 1) / chunk_size));
}

}  // namespace

void OfferedSnapshots::on_commit(const committee::Registry& registry) {
    if (!offered_.empty() && registry.height() % every != 0) return;
    Bytes state = registry.serialise();
    auto hash = crypto::sha256(state);
    offered_.push_back({registry.height(), registry.time(), hash, std::move(state)});
    if (offered_.size() > kept) offered_.pop_front();
}

void OfferedSnapshots::list(abci::ResponseListSnapshots& out) const {
    for (const Offered& offered : offered_) {
        auto* snapshot = out.add_snapshots();
        snapshot->set_height(static_cast<std::uint64_t>(offered.height));
        snapshot->set_format(format);
        snapshot->set_chunks(chunks_of(offered.state.size()));
        snapshot->set_hash(to_string(offered.hash));
        std::array<std::uint8_t, metadata_size> time{};
        store_big_endian(MutableByteView(time), static_cast<std::uint64_t>(offered.time.milliseconds));
        snapshot->set_metadata(to_string(time));
    }
}

Bytes OfferedSnapshots::chunk(std::uint64_t height, std::uint32_t wanted_format, std::uint32_t index) const {
    for (const Offered& offered : offered_) {
        if (static_cast<std::uint64_t>(offered.height) != height || wanted_format != format) continue;
        std::size_t from = std::size_t{index} * chunk_size;
        if (from >= offered.state.size()) return {};
        return to_bytes(ByteView(offered.state).subspan(from, std::min(chunk_size, offered.state.size() - from)));
    }
    return {};
}

Result<IncomingSnapshot> IncomingSnapshot::begin(const abci::Snapshot& offer, ByteView app_hash,
                                                 std::size_t maximum_size) {
    auto hash = FixedBytes<struct SnapshotTag, 32>::from(as_bytes(offer.hash()));
    if (offer.format() != format || !hash || offer.metadata().size() != metadata_size || offer.height() == 0 ||
        offer.height() > INT64_MAX)
        return fail(ErrorCode::malformed, "a snapshot of another kind");
    if (offer.chunks() == 0 || offer.chunks() > chunks_of(maximum_size))
        return fail(ErrorCode::exhausted, "a snapshot of " + std::to_string(offer.chunks()) + " MiB");
    IncomingSnapshot incoming;
    incoming.height_ = static_cast<std::int64_t>(offer.height());
    incoming.time_ = {static_cast<std::int64_t>(load_big_endian<std::uint64_t>(as_bytes(offer.metadata())))};
    incoming.hash_ = hash->value;
    incoming.app_hash_ = to_bytes(app_hash);
    incoming.chunks_ = offer.chunks();
    return incoming;
}

Status IncomingSnapshot::add(ByteView chunk) {
    REQUIRES(!complete());
    bool last = next_ + 1 == chunks_;
    if (chunk.size() > chunk_size || (!last && chunk.size() != chunk_size))
        return fail(ErrorCode::malformed, "a chunk of the wrong size");
    append(state_, chunk);
    ++next_;
    return {};
}

Status IncomingSnapshot::restore(committee::Registry& registry) const {
    REQUIRES(complete());
    if (crypto::sha256(state_) != hash_)
        return fail(ErrorCode::authentication, "a snapshot that is not what was offered");
    if (auto restored = registry.restore(state_, height_, time_); !restored) return restored;
    if (!std::ranges::equal(registry.app_hash(), app_hash_))
        return fail(ErrorCode::authentication, "a snapshot of another state than the chain's at its height");
    return {};
}

}  // namespace planetserve::consensus
