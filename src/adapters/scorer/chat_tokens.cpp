#include "adapters/scorer/chat_tokens.h"

#include <boost/asio/post.hpp>

#include "inference/bounded_json.h"
#include "signing/engine_tokens.h"

namespace planetserve::adapters {

namespace {

constexpr std::size_t reply_limit = 4 << 20;  // bytes
constexpr unsigned ok = 200;

}  // namespace

// Asks one question after the other. Handles each end from the io_context, not inside the engine's callbacks.
class PromptTokens::Call final : public inference::ReplySink, public std::enable_shared_from_this<Call> {
public:
    Call(boost::asio::io_context& context, inference::Service& engine, Done done)
        : context_(context), engine_(engine), done_(std::move(done)) {}

    void apply_template(const std::string& messages) {
        auto parsed = inference::parse_json(messages, reply_limit);
        if (!parsed || !parsed->is_array()) return end(fail(ErrorCode::invalid_argument, "no list of messages"));
        ask("/apply-template", signing::apply_template_request(parsed->get_array()));
    }
    void forget() {
        done_ = nullptr;
        exchange_.reset();
    }

    void on_head(const inference::ReplyHead& head) override { status_ = head.status; }
    void on_body(ByteView bytes) override {
        if (bytes.size() > reply_limit - reply_.size()) {
            over_ = true;
            return;
        }
        append(reply_, bytes);
        exchange_->consumed(bytes.size());
    }
    void on_end() override { later({}); }
    void on_error(const Error& error) override { later(std::unexpected(error)); }

private:
    void ask(std::string path, const std::string& body) {
        inference::Request request;
        request.method = "POST";
        request.path = path_ = std::move(path);
        request.content_type = "application/json";
        request.body = to_bytes(body);
        reply_.clear();
        status_ = 0;
        auto started = engine_.start(std::move(request), *this);
        if (!started) return later(std::unexpected(started.error()));
        exchange_ = std::move(*started);
    }
    void later(Status status) {
        boost::asio::post(context_, [self = shared_from_this(), status] {
            if (self->done_) self->next(status);
        });
    }
    void next(const Status& status) {
        exchange_.reset();
        if (!status) return end(std::unexpected(status.error()));
        if (over_) return end(fail(ErrorCode::exhausted, "the engine's reply is too large"));
        if (status_ != ok)
            return end(fail(ErrorCode::unavailable, path_ + ": the engine's status is " + std::to_string(status_)));
        if (path_ != "/apply-template") return end(signing::read_tokens(as_text(reply_)));
        auto text = signing::read_applied_template(as_text(reply_));
        if (!text) return end(std::unexpected(text.error()));
        ask("/tokenize", signing::tokenize_request(*text));
    }
    void end(Result<std::vector<scoring::TokenId>> result) {
        if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
    }

    boost::asio::io_context& context_;
    inference::Service& engine_;
    Done done_;
    std::string path_;
    unsigned status_ = 0;
    bool over_ = false;
    Bytes reply_;
    std::unique_ptr<inference::Exchange> exchange_;
};

PromptTokens::PromptTokens(boost::asio::io_context& context, inference::Service& engine, const std::string& messages,
                           Done done)
    : call_(std::make_shared<Call>(context, engine, std::move(done))) {
    // Not from within the constructor: the end may come at once.
    boost::asio::post(context, [call = call_, messages] { call->apply_template(messages); });
}

PromptTokens::~PromptTokens() { call_->forget(); }

}  // namespace planetserve::adapters
