// A model node's engines behind the check of what strangers ask (request_check.h).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "inference/request_check.h"
#include "inference/service.h"

namespace planetserve::inference {

// One thread, as for every Service. A request that is refused is accepted and answered with the refusal's status and an
// error in OpenAI's form, as an engine would; its user asks no other node for such an answer.
class RequestGate final : public Service {
public:
    // The engines outlive the gate.
    RequestGate(Service& engines, RequestLimits limits, Defer defer)
        : engines_(engines), limits_(limits), defer_(std::move(defer)) {}

    // Requests for a model that was not added go to the engines unchecked, which refuse them.
    void add(std::string model, EngineTraits traits) { traits_[std::move(model)] = std::move(traits); }

    Result<std::unique_ptr<Exchange>> start(Request request, ReplySink& sink) override;

    std::uint64_t refused() const { return refused_; }

private:
    Service& engines_;
    RequestLimits limits_;
    Defer defer_;
    std::map<std::string, EngineTraits> traits_;
    std::uint64_t refused_ = 0;
};

}  // namespace planetserve::inference
