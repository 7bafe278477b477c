// For tests of services: a sink that records its reply.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "inference/service.h"

namespace planetserve::inference {

struct RecordingSink final : ReplySink {
    void on_head(const ReplyHead& told) override {
        ++heads;
        head = told;
        if (hang_up_at_head) exchange.reset();
    }
    void on_body(ByteView bytes) override {
        pieces.emplace_back(as_text(bytes));
        body += as_text(bytes);
        if (hang_up_at_body) return exchange.reset();
        if (consume) exchange->consumed(bytes.size());
    }
    void on_end() override {
        ended = true;
        exchange.reset();
    }
    void on_error(const Error& told) override {
        error = told;
        exchange.reset();
    }
    bool over() const { return ended || error; }

    std::unique_ptr<Exchange> exchange;
    ReplyHead head{0, {}};
    std::vector<std::string> pieces;
    std::string body;
    std::optional<Error> error;
    int heads = 0;
    bool ended = false;
    bool consume = true;
    bool hang_up_at_head = false;
    bool hang_up_at_body = false;
};

}  // namespace planetserve::inference
