// The tokens of a chat's prompt, as an engine makes them: it applies the model's template, then its tokeniser.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "inference/service.h"
#include "scoring/sampling.h"

namespace planetserve::adapters {

class PromptTokens {
public:
    using Done = std::function<void(Result<std::vector<scoring::TokenId>>)>;

    // Asks the engine twice and calls `done` from the io_context, unless this is destroyed before. The context and the
    // engine outlive this.
    PromptTokens(boost::asio::io_context& context, inference::Service& engine, const std::string& messages, Done done);
    ~PromptTokens();

private:
    class Call;

    std::shared_ptr<Call> call_;
};

}  // namespace planetserve::adapters
