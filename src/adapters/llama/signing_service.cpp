#include "adapters/llama/signing_service.h"

#include <algorithm>

#include "adapters/llama/engine_tokens.h"
#include "inference/bounded_json.h"
#include "inference/event_stream.h"
#include "scoring/signed_answer.h"

namespace planetserve::adapters {

namespace json = boost::json;
using inference::find;

namespace {

constexpr std::size_t memory_limit = 128 << 20;

// In front of what the request says itself, which is not written anew.
Bytes with_members(ByteView body, const std::string& members) {
    auto brace = std::ranges::find(body, '{');
    Bytes out(body.begin(), brace + 1);
    append(out, as_bytes(members));
    out.insert(out.end(), brace + 1, body.end());
    return out;
}

}  // namespace

// Collects the reply to a request whose tokens were asked for, and gives it with the signature.
class SigningService::Signing final : public inference::Exchange, public inference::ReplySink {
public:
    Signing(const SigningService& service, scoring::SignedAnswer answer, inference::ReplySink& sink)
        : service_(service), answer_(std::move(answer)), sink_(sink) {}

    ~Signing() override { *alive_ = false; }

    Status start(inference::Request request) {
        auto started = service_.engine_.start(std::move(request), *this);
        if (!started) return std::unexpected(started.error());
        inner_ = std::move(*started);
        return {};
    }

    void consumed(std::size_t bytes) override {
        if (passing_) return inner_->consumed(bytes);
        outstanding_ -= std::min(bytes, outstanding_);
        deliver();
    }

    void on_head(const inference::ReplyHead& head) override {
        head_ = head;
        passing_ = head.status != 200 || inference::is_event_stream(head);
        if (passing_) sink_.on_head(head);
    }
    void on_body(ByteView bytes) override {
        if (passing_) return sink_.on_body(bytes);
        if (bytes.size() > reply_limit - reply_.size()) {
            error_ = Error{ErrorCode::exhausted, "the engine's reply is too large"};
            inner_.reset();
            return end();
        }
        append(reply_, bytes);
        inner_->consumed(bytes.size());
    }
    void on_end() override {
        if (passing_) return sink_.on_end();
        sign();
        end();
    }
    void on_error(const Error& error) override {
        if (passing_) return sink_.on_error(error);
        error_ = error;
        end();
    }

private:
    void sign() {
        auto reply = inference::parse_json(as_text(reply_), memory_limit);
        if (!reply || !reply->is_object()) return;
        auto answer = engine_answer_of(*reply);
        json::object& members = reply->get_object();
        members.erase("__verbose");
        if (answer && answer->tokens.size() <= scoring::SignedAnswer::most_tokens) {
            answer_.tokens = std::move(answer->tokens);
            answer_.finish = answer->finish;
            answer_.prompt_tokens = static_cast<std::uint32_t>(std::min<std::uint64_t>(answer->prompt_tokens, ~0U));
            scoring::sign(answer_, service_.node_);
            members["planetserve"] = json::object{{"signed_answer", to_hex(scoring::serialise(answer_))}};
        }
        reply_ = to_bytes(inference::compact(*reply));
    }
    // The engine is done; the reader gets it all at its own pace.
    void end() {
        ended_ = true;
        auto alive = alive_;
        if (!error_) sink_.on_head(head_);
        if (*alive) deliver();
    }
    void deliver() {
        if (!ended_ || told_end_) return;
        auto alive = alive_;
        while (!error_ && delivered_ < reply_.size() && outstanding_ < inference::reply_window) {
            std::size_t size = std::min(inference::reply_window - outstanding_, reply_.size() - delivered_);
            outstanding_ += size;
            delivered_ += size;
            sink_.on_body(ByteView(reply_).subspan(delivered_ - size, size));
            // The sink may have left in that call.
            if (!*alive) return;
        }
        if (told_end_ || (!error_ && delivered_ < reply_.size())) return;
        told_end_ = true;
        if (error_) return sink_.on_error(*error_);
        sink_.on_end();
    }

    const SigningService& service_;
    scoring::SignedAnswer answer_;
    inference::ReplySink& sink_;
    inference::ReplyHead head_;
    Bytes reply_;
    std::optional<Error> error_;
    bool passing_ = false;
    bool ended_ = false;
    bool told_end_ = false;
    std::size_t delivered_ = 0;
    std::size_t outstanding_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // until this goes
    std::unique_ptr<inference::Exchange> inner_;
};

Result<std::unique_ptr<inference::Exchange>> SigningService::start(inference::Request request,
                                                                   inference::ReplySink& sink) {
    bool chat = request.path == "/v1/chat/completions";
    if ((!chat && request.path != "/v1/completions") || request.body.size() > request_limit)
        return engine_.start(std::move(request), sink);
    auto body = inference::parse_json(as_text(request.body), memory_limit);
    if (!body || !body->is_object()) return engine_.start(std::move(request), sink);
    const json::object& members = body->get_object();
    scoring::SignedAnswer answer{
        .model = model_, .nonce = scoring::nonce_of(request.id), .request = crypto::sha256(request.body)};
    std::string added;
    if (!members.contains("seed")) added += "\"seed\":" + std::to_string(scoring::seed_of(answer.nonce)) + ",";
    bool asks_itself = members.contains("return_tokens") || members.contains("verbose");
    bool sign = chat && !inference::is_true(members.if_contains("stream")) && !asks_itself;
    if (sign) added += "\"return_tokens\":true,\"verbose\":true,";
    // Nothing may follow a comma but a member; an empty object is refused by the engine anyway.
    if (!added.empty() && !members.empty()) request.body = with_members(request.body, added);
    if (!sign) return engine_.start(std::move(request), sink);
    auto signing = std::make_unique<Signing>(*this, std::move(answer), sink);
    if (auto started = signing->start(std::move(request)); !started) return std::unexpected(started.error());
    return signing;
}

}  // namespace planetserve::adapters
