#include "adapters/api/api_metrics.h"

#include <prometheus/text_serializer.h>

#include <set>
#include <sstream>

namespace planetserve::adapters {

namespace {

const prometheus::Histogram::BucketBoundaries seconds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                                      1,     2.5,  5,     10,   30,  60,   120};

}  // namespace

ApiMetrics::ApiMetrics(prometheus::Registry& registry)
    : registry_(registry),
      requests_(prometheus::BuildCounter()
                    .Name("planetserve_api_requests_total")
                    .Help("Requests answered, by path and status")
                    .Register(registry)),
      in_flight_(prometheus::BuildGauge()
                     .Name("planetserve_api_requests_in_flight")
                     .Help("Requests being answered")
                     .Register(registry)
                     .Add({})),
      first_byte_(prometheus::BuildHistogram()
                      .Name("planetserve_api_time_to_first_byte_seconds")
                      .Help("From a request's last byte to its answer's first")
                      .Register(registry)
                      .Add({}, seconds)),
      duration_(prometheus::BuildHistogram()
                    .Name("planetserve_api_request_duration_seconds")
                    .Help("Of whole requests")
                    .Register(registry)
                    .Add({}, seconds)),
      bytes_(prometheus::BuildCounter()
                 .Name("planetserve_api_reply_bytes_total")
                 .Help("Bytes of reply bodies")
                 .Register(registry)
                 .Add({})) {}

void ApiMetrics::request(const std::string& path, unsigned status) {
    static const std::set<std::string> known{
        "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses",      "/v1/messages",
        "/v1/models",           "/health",         "/metrics",       "/planetserve/status"};
    requests_.Add({{"path", known.contains(path) ? path : "other"}, {"status", std::to_string(status)}}).Increment();
}

std::string ApiMetrics::text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, registry_.Collect());
    return out.str();
}

}  // namespace planetserve::adapters
