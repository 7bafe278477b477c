#include "verification/verifiers.h"

#include <bit>
#include <stdexcept>

#include "verification/verification.pb.h"

namespace planetserve::verification {

VerifierSet::VerifierSet(const std::vector<Verifier>& verifiers) {
    if (verifiers.empty() || verifiers.size() > 1000) throw std::invalid_argument("there must be 1 to 1,000 verifiers");
    for (const auto& [id, power] : verifiers) {
        if (power == 0 || power > (std::uint64_t{1} << 60) - total_power_ || !powers_.emplace(id, power).second)
            throw std::invalid_argument("verifiers must differ, and their powers be above 0 and at most 2^60 in all");
        total_power_ += power;
    }
}

std::uint64_t VerifierSet::power(const NodeId& id) const {
    auto found = powers_.find(id);
    return found == powers_.end() ? 0 : found->second;
}

void VerifierRecord::add_epoch(bool far, bool missed) {
    constexpr auto mask = (std::uint32_t{1} << record_window) - 1;
    far_epochs = (far_epochs << 1 | (far ? 1u : 0u)) & mask;
    missed_epochs = (missed_epochs << 1 | (missed ? 1u : 0u)) & mask;
}

bool VerifierRecord::flagged(const Parameters& parameters) const {
    return static_cast<std::uint32_t>(std::popcount(far_epochs)) > parameters.far_permitted;
}

Bytes encode_record(const NodeId& verifier, const VerifierRecord& record) {
    proto::VerifierRecord message;
    message.set_verifier(to_string(verifier.bytes()));
    message.set_equivocations(record.equivocations);
    message.set_far_epochs(record.far_epochs);
    message.set_missed_epochs(record.missed_epochs);
    return to_bytes(message.SerializeAsString());
}

Result<std::pair<NodeId, VerifierRecord>> parse_record(ByteView bytes) {
    proto::VerifierRecord message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(ErrorCode::malformed, "a verifier's record that does not parse");
    auto id = NodeId::from(as_bytes(message.verifier()));
    if (!id) return fail(ErrorCode::malformed, "a verifier's record without its id");
    return std::pair(*id, VerifierRecord{message.equivocations(), message.far_epochs(), message.missed_epochs()});
}

}  // namespace planetserve::verification
