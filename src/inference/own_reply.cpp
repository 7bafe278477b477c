#include "inference/own_reply.h"

#include "base/lifetime.h"

namespace planetserve::inference {

namespace {

class OwnReply final : public Exchange {
public:
    OwnReply(ReplyHead head, std::string body, ReplySink& sink)
        : head_(std::move(head)), body_(std::move(body)), sink_(sink) {}

    void tell() {
        // In any of these calls the sink may destroy this.
        auto self = lifetime_.watch();
        ReplySink& sink = sink_;
        const std::string body = std::move(body_);
        sink.on_head(ReplyHead(std::move(head_)));
        if (!self.gone()) sink.on_body(as_bytes(body));
        if (!self.gone()) sink.on_end();
    }
    void consumed(std::size_t) override {}
    Lifetime::Watch watch() const { return lifetime_.watch(); }

private:
    ReplyHead head_;
    std::string body_;  // far below the reply window
    ReplySink& sink_;
    Lifetime lifetime_;
};

}  // namespace

std::unique_ptr<Exchange> own_reply(const Defer& defer, ReplyHead head, std::string body, ReplySink& sink) {
    auto reply = std::make_unique<OwnReply>(std::move(head), std::move(body), sink);
    defer([reply = reply.get(), owner = reply->watch()] {
        if (!owner.gone()) reply->tell();
    });
    return reply;
}

}  // namespace planetserve::inference
