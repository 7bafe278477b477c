// Which path set-ups a relay takes: none twice, and from no neighbour more than its share (docs/protocols/paths.md).
//
// Replay tags are kept until the minute of their expiry is over. Their number is bounded in all and by neighbour. A
// token bucket bounds how fast one neighbour may send set-ups, wrong ones included, since each costs a key agreement.
// So one neighbour alone cannot fill the table. A journal may keep the tags over restarts. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include "base/ids.h"
#include "base/result.h"
#include "base/token_bucket.h"
#include "onion/setup.h"

namespace planetserve::onion {

struct AdmissionLimits {
    std::size_t maximum_remembered = 65536;          // about 4 MB
    std::size_t maximum_remembered_per_peer = 4096;  // and no more than are left for others
    double setups_per_second = 8;                    // from one neighbour, on average
    double burst = 256;                              // set-ups at once from one neighbour
};

class RelayAdmission {
public:
    using ReplayTag = std::array<std::uint8_t, 16>;

    // A set-up that was taken: one with the tag is a replay until the minute of its expiry is over.
    struct Remembered {
        ExpiryMinutes expiry = 0;
        ReplayTag tag{};
        bool operator==(const Remembered&) const = default;
    };
    // Called with each set-up before it has an effect.
    using Journal = std::function<void(const Remembered&, const Now&)>;

    explicit RelayAdmission(AdmissionLimits limits) : limits_(limits) {}

    void set_journal(Journal journal) { journal_ = std::move(journal); }
    // What the journal kept of a process before. It counts for no neighbour.
    void restore(const Remembered& kept);

    // Before the set-up is opened: forgets what expired, then counts one set-up of the neighbour. Fails with
    // `exhausted` when a bound is reached.
    Status admit(const NodeId& from, const Now& now);
    // After it was opened: false when it was seen before.
    [[nodiscard]] bool remember(const NodeId& from, const Remembered& setup, const Now& now);

    std::size_t remembered() const { return remembered_; }
    // Neighbours with an entry.
    std::size_t neighbours() const { return neighbours_.size(); }

private:
    struct Neighbour {
        std::size_t remembered = 0;
        TokenBucket setups;
    };
    struct Minute {
        std::set<ReplayTag> tags;
        std::unordered_map<NodeId, std::size_t, IdHash> by_peer;
    };

    void prune(Time now, ExpiryMinutes current);
    TokenRate rate() const { return {limits_.setups_per_second, limits_.burst}; }

    AdmissionLimits limits_;
    Journal journal_ = [](const Remembered&, const Now&) {};
    std::map<ExpiryMinutes, Minute> minutes_;
    std::unordered_map<NodeId, Neighbour, IdHash> neighbours_;
    std::size_t remembered_ = 0;
    ExpiryMinutes pruned_at_ = 0;
};

}  // namespace planetserve::onion
