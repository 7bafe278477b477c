// A model node's metrics for Prometheus, by model (docs/metrics.md).
#pragma once

#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <map>
#include <string>

#include "node/model_groups.h"
#include "roles/model_status.h"

namespace planetserve::roles {

class ModelMetrics {
public:
    explicit ModelMetrics(prometheus::Registry& registry) : registry_(registry) {}

    void update(const std::vector<node::ModelGroupStatus>& groups, const std::vector<CacheEventsStatus>& cache_events,
                const exchange::ModelSide& server);

private:
    void set(const std::string& name, const std::string& help, const std::string& model, double value);

    prometheus::Registry& registry_;
    std::map<std::string, prometheus::Family<prometheus::Gauge>*> families_;
};

}  // namespace planetserve::roles
