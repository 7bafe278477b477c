#include "signing/signing_service.h"

#include <algorithm>

#include "base/lifetime.h"
#include "inference/bounded_json.h"
#include "inference/small_call.h"
#include "scoring/signed_answer.h"
#include "signing/engine_tokens.h"
#include "signing/request_sampling.h"
#include "signing/streamed_tokens.h"

namespace planetserve::signing {

namespace json = boost::json;

namespace {

constexpr std::size_t json_memory_limit = 128 << 20;  // bytes that a parsed request or reply may take
constexpr unsigned ok = 200;

// Writes the members behind the request's own, which stay as they are: of two members of one name the last counts.
Bytes with_members(ByteView body, const std::string& members) {
    std::size_t brace = as_text(body).rfind('}');
    Bytes out = to_bytes(body.first(brace));
    append(out, as_bytes("," + members));
    append(out, body.subspan(brace));
    return out;
}

}  // namespace

// A reply that is changed on its way. Its bytes wait here for the reader.
class SigningService::Signing : public inference::Exchange, public inference::ReplySink {
public:
    Signing(const SigningService& service, scoring::SignedAnswer answer, inference::ReplySink& sink)
        : service_(service), answer_(std::move(answer)), sink_(sink) {}

    Status start(inference::Request request) {
        auto started = service_.engine_.start(std::move(request), *this);
        if (!started) return std::unexpected(started.error());
        inner_ = std::move(*started);
        return {};
    }

    void consumed(std::size_t bytes) override {
        if (passing_) return inner_->consumed(bytes);
        outstanding_ -= std::min(bytes, outstanding_);
        auto self = lifetime_.watch();
        deliver();
        if (!self.gone()) took(0);
    }
    void on_head(const inference::ReplyHead& head) override {
        passing_ = head.status != ok || inference::is_event_stream(head) != streams();
        if (passing_ || streams())
            sink_.on_head(head);
        else
            head_ = head;
    }
    void on_body(ByteView bytes) override {
        if (passing_) return sink_.on_body(bytes);
        take(bytes);
    }
    void on_end() override {
        if (passing_) return sink_.on_end();
        finish();
    }
    void on_error(const Error& error) override {
        if (passing_) return sink_.on_error(error);
        fail_with(error);
    }

protected:
    virtual bool streams() const = 0;
    virtual void take(ByteView bytes) = 0;
    virtual void finish() = 0;

    const SigningService& service() const { return service_; }
    void hang_up() { inner_.reset(); }
    Lifetime::Watch watch() const { return lifetime_.watch(); }

    // The signed answer in hex; empty where it cannot be signed.
    std::string sign(Result<EngineAnswer> answer) {
        if (!answer || answer->tokens.size() > scoring::SignedAnswer::most_tokens) return {};
        answer_.tokens = std::move(answer->tokens);
        answer_.finish = answer->finish;
        answer_.prompt_tokens = static_cast<std::uint32_t>(std::min<std::uint64_t>(answer->prompt_tokens, ~0U));
        scoring::sign(answer_, service_.node_);
        return to_hex(scoring::serialise(answer_));
    }
    // Gives bytes to the reader, at its own pace. The reader may destroy this object in that call.
    void give(ByteView bytes) {
        append(out_, bytes);
        deliver();
    }
    void end() {
        ended_ = true;
        deliver();
    }
    void fail_with(Error error) {
        error_ = std::move(error);
        end();
    }
    // Lets the engine send so much more, once the reader is not far behind.
    void took(std::size_t bytes) {
        taken_ += bytes;
        const std::size_t waiting = out_.size() - delivered_ + outstanding_;
        if (inner_ && waiting < inference::reply_window / 2) inner_->consumed(std::exchange(taken_, 0));
    }

private:
    void deliver() {
        if (delivering_) return;
        auto self = lifetime_.watch();
        delivering_ = true;
        if (auto head = std::exchange(head_, std::nullopt); head && !error_) sink_.on_head(*head);
        while (!self.gone() && !error_ && delivered_ < out_.size() && outstanding_ < inference::reply_window) {
            std::size_t size = std::min(inference::reply_window - outstanding_, out_.size() - delivered_);
            outstanding_ += size;
            delivered_ += size;
            // In that call the sink may destroy this object, or call consumed().
            sink_.on_body(ByteView(out_).subspan(delivered_ - size, size));
        }
        if (self.gone()) return;
        delivering_ = false;
        // A reader that is always a little behind must not keep a long stream in memory.
        if (delivered_ == out_.size() || delivered_ >= inference::reply_window)
            out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(std::exchange(delivered_, 0)));
        if (!ended_ || told_end_ || (!error_ && !out_.empty())) return;
        told_end_ = true;
        if (error_) return sink_.on_error(*error_);
        sink_.on_end();
    }

    const SigningService& service_;
    scoring::SignedAnswer answer_;
    inference::ReplySink& sink_;
    std::optional<inference::ReplyHead> head_;  // held back until the first bytes
    std::optional<Error> error_;
    bool passing_ = false;  // the reply goes through unchanged
    bool ended_ = false;
    bool told_end_ = false;
    bool delivering_ = false;
    Bytes out_;
    std::size_t delivered_ = 0;    // of out_
    std::size_t outstanding_ = 0;  // delivered, and the reader is not done with it
    std::size_t taken_ = 0;        // of the engine's bytes
    std::unique_ptr<inference::Exchange> inner_;
    Lifetime lifetime_;
};

// A reply that comes whole: its tokens are at its end, so it is held until it is complete.
class SigningService::WholeReply final : public Signing {
public:
    using Signing::Signing;

private:
    bool streams() const override { return false; }
    void take(ByteView bytes) override {
        if (bytes.size() > reply_limit - reply_.size()) {
            hang_up();
            return fail_with({ErrorCode::exhausted, "the engine's reply is too large"});
        }
        append(reply_, bytes);
        took(bytes.size());
    }
    void finish() override {
        if (auto reply = inference::parse_json(as_text(reply_), json_memory_limit); reply && reply->is_object()) {
            auto answer = engine_answer_of(*reply);
            json::object& members = reply->get_object();
            members.erase("__verbose");
            if (std::string hex = sign(std::move(answer)); !hex.empty())
                members["planetserve"] = json::object{{"signed_answer", hex}};
            reply_ = to_bytes(inference::compact(*reply));
        }
        auto self = watch();
        give(reply_);
        if (!self.gone()) end();
    }

    Bytes reply_;
};

class SigningService::Stream final : public Signing {
public:
    Stream(const SigningService& service, scoring::SignedAnswer answer, const json::object& request,
           inference::ReplySink& sink)
        : Signing(service, std::move(answer), sink), tokens_(request, service.end_token_) {}

private:
    bool streams() const override { return true; }
    void take(ByteView bytes) override {
        Bytes out;
        const bool ended_before = tokens_.ended();
        if (auto taken = tokens_.take(bytes, out); !taken) {
            hang_up();
            return fail_with(taken.error());
        }
        if (signed_) append(out, tokens_.rest({}));
        auto self = watch();
        give(out);
        if (self.gone()) return;
        took(bytes.size());
        if (ended_before || !tokens_.ended()) return;
        std::string gaps = tokens_.gaps_request();
        if (gaps.empty()) return fill({});
        filling_ = std::make_unique<inference::SmallCall>();
        auto started = filling_->start(service().engine_, inference::post_of("/tokenize", gaps), reply_limit,
                                       [this](const auto& reply) {
                                           fill(reply ? read_tokens(*reply).value_or(std::vector<scoring::TokenId>())
                                                      : std::vector<scoring::TokenId>());
                                       });
        if (!started) fill({});
    }
    // Puts the missing tokens in and signs. If they do not fit, the answer goes without a signature.
    void fill(std::vector<scoring::TokenId> gaps) {
        auto done = std::move(filling_);
        signed_ = true;
        Bytes rest = tokens_.rest(sign(tokens_.answer(std::move(gaps))));
        auto self = watch();
        give(rest);
        if (!self.gone() && finished_) end();
    }
    void finish() override {
        finished_ = true;
        if (!filling_) end();
    }

    StreamedTokens tokens_;
    std::unique_ptr<inference::SmallCall> filling_;  // asks the engine for the tokens of texts
    bool signed_ = false;                            // or it cannot be signed
    bool finished_ = false;                          // the engine's end came
};

Result<std::unique_ptr<inference::Exchange>> SigningService::start(inference::Request request,
                                                                   inference::ReplySink& sink) {
    bool chat = request.path == "/v1/chat/completions";
    if ((!chat && request.path != "/v1/completions") || request.body.size() > request_limit)
        return engine_.start(std::move(request), sink);
    auto body = inference::parse_json(as_text(request.body), json_memory_limit);
    // The engine refuses an empty object anyway.
    if (!body || !body->is_object() || body->get_object().empty()) return engine_.start(std::move(request), sink);
    const json::object& members = body->get_object();
    const crypto::Digest asked = crypto::sha256(request.body);
    scoring::SignedAnswer answer{.model = model_, .nonce = scoring::nonce_of(request.id), .request = asked};
    auto sampling = sampling_of(*body, answer.nonce);
    std::string added = std::move(sampling.added);
    auto add = [&added](const std::string& more) { added += (added.empty() ? "" : ",") + more; };
    std::unique_ptr<Signing> signing;
    if (chat && !members.contains("return_tokens") && !members.contains("verbose")) {
        if (!inference::is_true(members.if_contains("stream"))) {
            add(R"("return_tokens":true,"verbose":true)");
            signing = std::make_unique<WholeReply>(*this, std::move(answer), sink);
        } else if (auto more = streamed_tokens_members(members); more && sampling.profile) {
            add(*more);
            signing = std::make_unique<Stream>(*this, std::move(answer), members, sink);
        }
    }
    if (!added.empty()) {
        request.asked = asked;
        request.body = with_members(request.body, added);
    }
    if (!signing) return engine_.start(std::move(request), sink);
    if (auto started = signing->start(std::move(request)); !started) return std::unexpected(started.error());
    return signing;
}

}  // namespace planetserve::signing
