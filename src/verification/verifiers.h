// The verification nodes (verifiers), their voting power, and the record of how each voted.
#pragma once

#include <map>
#include <vector>

#include "base/ids.h"
#include "verification/parameters.h"

namespace planetserve::verification {

struct Verifier {
    NodeId id;
    std::uint64_t power = 1;
};

// Fixed for the life of a chain, from its genesis.
class VerifierSet {
public:
    // Throws std::invalid_argument unless there are 1 to 1,000 different verifiers, each with a power above 0, and at
    // most 2^60 in all.
    explicit VerifierSet(const std::vector<Verifier>& verifiers);

    bool contains(const NodeId& id) const { return powers_.contains(id); }
    // 0 for others.
    std::uint64_t power(const NodeId& id) const;
    std::uint64_t total_power() const { return total_power_; }
    bool is_quorum(std::uint64_t power) const { return power * 3 > total_power_ * 2; }
    const std::map<NodeId, std::uint64_t>& powers() const { return powers_; }

private:
    std::map<NodeId, std::uint64_t> powers_;
    std::uint64_t total_power_ = 0;
};

// Each bit is one of the last record_window epochs with a report, the latest lowest.
struct VerifierRecord {
    std::uint32_t equivocations = 0;
    std::uint32_t far_epochs = 0;     // more than half of its votes were far from the median
    std::uint32_t missed_epochs = 0;  // it revealed no vote
    bool operator==(const VerifierRecord&) const = default;

    void add_epoch(bool far, bool missed);
    bool flagged(const Parameters& parameters) const;
};

Bytes encode_record(const NodeId& verifier, const VerifierRecord& record);
Result<std::pair<NodeId, VerifierRecord>> parse_record(ByteView bytes);

}  // namespace planetserve::verification
