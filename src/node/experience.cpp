#include "node/experience.h"

#include <algorithm>
#include <cmath>

namespace planetserve::node {

namespace {

Duration duration(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(seconds, 1e6)));
}

}  // namespace

double Experience::left(Time since, Time now) const {
    return std::exp2(-to_seconds(std::max(now - since, Duration::zero())) / to_seconds(limits_.half_life));
}

void Experience::add(Mean& mean, double sample, Time now) const {
    const double before = std::min(mean.samples * left(mean.at, now), limits_.maximum_samples);
    mean.value = (mean.value * before + sample) / (before + 1);
    mean.samples = before + 1;
    mean.at = now;
}

std::optional<double> Experience::known(const Mean& mean, Time now) const {
    if (mean.samples * left(mean.at, now) < limits_.least_samples) return std::nullopt;
    return mean.value;
}

// A longer question takes longer to read, a shorter one not less than the rest of the way.
double Experience::longer(std::size_t request_bytes) const {
    return 1 + static_cast<double>(request_bytes) / limits_.usual_request_bytes;
}

Experience::Record& Experience::touch(const Server& server, Time now) {
    if (!records_.contains(server) && records_.size() >= limits_.maximum_servers)
        records_.erase(std::ranges::min_element(records_, {}, [](const auto& item) { return item.second.at; }));
    Record& record = records_[server];
    const double still = left(record.at, now);
    record.good *= still;
    record.bad *= still;
    record.at = now;
    return record;
}

void Experience::delivered(const Server& server, const Delivery& delivery, Time now) {
    Record& record = touch(server, now);
    record.good = std::min(record.good + 1, limits_.maximum_weight);
    if (delivery.first_byte)
        add(record.first_byte, to_seconds(*delivery.first_byte) / longer(delivery.request_bytes), now);
    if (delivery.bytes_per_second) add(record.rate, std::max(*delivery.bytes_per_second, 1.0), now);
}

void Experience::failed(const Server& server, double weight, Time now) {
    Record& record = touch(server, now);
    record.bad = std::min(record.bad + weight, limits_.maximum_weight);
}

void Experience::late(const Server& server, double weight, Time now) {
    Record& record = touch(server, now);
    if (record.late_at && now - *record.late_at < limits_.late_interval) return;
    record.late_at = now;
    record.bad = std::min(record.bad + weight, limits_.maximum_weight);
}

double Experience::reliability(const Server& server, Time now) const {
    auto found = records_.find(server);
    if (found == records_.end()) return 1;
    const double still = left(found->second.at, now);
    const double good = found->second.good * still, bad = found->second.bad * still;
    return (good + 1) / (good + bad + 1);
}

std::set<NodeId> Experience::failing(Time now) const {
    std::set<NodeId> nodes;
    for (const auto& [server, record] : records_)
        if (fails_mostly(server, now)) nodes.insert(server.node);
    return nodes;
}

Duration Experience::expected_loss(const Server& server, Time now) const {
    const double answered = reliability(server, now);
    return duration((1 - answered) / answered * to_seconds(limits_.failure_costs));
}

std::optional<Duration> Experience::usual_time(const Server& server, Time now) const {
    auto found = records_.find(server);
    if (found == records_.end()) return std::nullopt;
    const auto first_byte = known(found->second.first_byte, now), rate = known(found->second.rate, now);
    if (!first_byte) return std::nullopt;
    return duration(*first_byte + (rate ? limits_.usual_answer_bytes / *rate : 0));
}

std::optional<Duration> Experience::first_byte(const Server& server, std::size_t request_bytes, Time now) const {
    auto found = records_.find(server);
    if (found == records_.end()) return std::nullopt;
    const auto usual = known(found->second.first_byte, now);
    return usual ? std::optional(duration(*usual * longer(request_bytes))) : std::nullopt;
}

double Experience::deliveries(const Server& server, Time now) const {
    auto found = records_.find(server);
    return found == records_.end() ? 0 : found->second.good * left(found->second.at, now);
}

}  // namespace planetserve::node
