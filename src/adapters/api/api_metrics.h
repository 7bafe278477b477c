// The API's own figures for Prometheus.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

#include "base/time.h"

namespace planetserve::adapters {

class ApiMetrics {
public:
    explicit ApiMetrics(prometheus::Registry& registry);

    // Paths must be those of the API: an unknown one is counted as "other".
    void request(const std::string& path, unsigned status);
    void first_byte(Duration after) { first_byte_.Observe(to_seconds(after)); }
    void done(Duration after, std::size_t bytes) {
        duration_.Observe(to_seconds(after));
        bytes_.Increment(static_cast<double>(bytes));
    }
    std::string text() const;

private:
    friend class InFlight;

    prometheus::Registry& registry_;
    prometheus::Family<prometheus::Counter>& requests_;
    prometheus::Gauge& in_flight_;
    prometheus::Histogram& first_byte_;
    prometheus::Histogram& duration_;
    prometheus::Counter& bytes_;
};

// Counts one request as being answered, for as long as it lives.
class InFlight {
public:
    explicit InFlight(ApiMetrics& metrics) : metrics_(metrics) { metrics_.in_flight_.Increment(); }
    ~InFlight() { metrics_.in_flight_.Decrement(); }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;

private:
    ApiMetrics& metrics_;
};

}  // namespace planetserve::adapters
