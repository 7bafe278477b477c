#include "node/experience.h"

#include <algorithm>
#include <cmath>

namespace planetserve::node {

namespace {

// A moving average, 3/4 old and 1/4 new.
void average(std::optional<double>& value, double sample) { value = value ? *value * 3 / 4 + sample / 4 : sample; }

Duration duration(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(seconds, 1e6)));
}

}  // namespace

double Experience::decay(const Record& record, Time now) const {
    return std::exp2(-to_seconds(std::max(now - record.at, Duration::zero())) / to_seconds(limits_.half_life));
}

// A longer question takes longer to read, a shorter one not less than the rest of the way.
double Experience::longer(std::size_t request_bytes) const {
    return 1 + static_cast<double>(request_bytes) / limits_.usual_request_bytes;
}

Experience::Record& Experience::touch(const NodeId& node, Time now) {
    if (!records_.contains(node) && records_.size() >= limits_.maximum_nodes)
        records_.erase(std::ranges::min_element(records_, {}, [](const auto& item) { return item.second.at; }));
    Record& record = records_[node];
    const double left = decay(record, now);
    record.good *= left;
    record.bad *= left;
    record.at = now;
    return record;
}

void Experience::delivered(const NodeId& node, const Delivery& delivery, Time now) {
    Record& record = count_delivery(node, now);
    average(record.first_byte, to_seconds(delivery.first_byte) / longer(delivery.request_bytes));
    if (delivery.bytes_per_second) average(record.rate, std::max(*delivery.bytes_per_second, 1.0));
}

Experience::Record& Experience::count_delivery(const NodeId& node, Time now) {
    Record& record = touch(node, now);
    record.good = std::min(record.good + 1, limits_.maximum_weight);
    return record;
}

void Experience::failed(const NodeId& node, double weight, Time now) {
    Record& record = touch(node, now);
    record.bad = std::min(record.bad + weight, limits_.maximum_weight);
}

double Experience::reliability(const NodeId& node, Time now) const {
    auto found = records_.find(node);
    if (found == records_.end()) return 1;
    const double left = decay(found->second, now);
    const double good = found->second.good * left, bad = found->second.bad * left;
    return (good + 1) / (good + bad + 1);
}

std::set<NodeId> Experience::failing(Time now) const {
    std::set<NodeId> nodes;
    for (const auto& [node, record] : records_)
        if (fails_mostly(node, now)) nodes.insert(node);
    return nodes;
}

Duration Experience::expected_loss(const NodeId& node, Time now) const {
    const double answered = reliability(node, now);
    return duration((1 - answered) / answered * to_seconds(limits_.failure_costs));
}

std::optional<Duration> Experience::usual_time(const NodeId& node) const {
    auto found = records_.find(node);
    if (found == records_.end() || !found->second.first_byte) return std::nullopt;
    const Record& record = found->second;
    return duration(*record.first_byte + (record.rate ? limits_.usual_answer_bytes / *record.rate : 0));
}

std::optional<Duration> Experience::first_byte(const NodeId& node, std::size_t request_bytes) const {
    auto found = records_.find(node);
    if (found == records_.end() || !found->second.first_byte) return std::nullopt;
    return duration(*found->second.first_byte * longer(request_bytes));
}

double Experience::deliveries(const NodeId& node, Time now) const {
    auto found = records_.find(node);
    return found == records_.end() ? 0 : found->second.good * decay(found->second, now);
}

}  // namespace planetserve::node
