#include "verification_agent/challenger.h"

#include <boost/json.hpp>

#include "inference/bounded_json.h"
#include "inference/event_stream.h"

namespace planetserve::verification_agent {

std::string_view to_string(ChallengeOutcome outcome) {
    switch (outcome) {
        case ChallengeOutcome::answered:
            return "answered";
        case ChallengeOutcome::not_signed:
            return "not signed";
        case ChallengeOutcome::no_answer:
            return "no answer";
        case ChallengeOutcome::no_verdict:
            return "no verdict";
    }
    return "?";
}

namespace {

// For the parsed form of a reply of limits.reply_bytes.
constexpr std::size_t reply_memory = 64 << 20;

}  // namespace

class Challenger::Asking final : public inference::ReplySink {
public:
    explicit Asking(ChallengeTask task) { result_.task = std::move(task); }

    void start(inference::Service& overlay, Now now) {
        asked_at_ = now.time;
        request_.id = result_.task.id;
        request_.method = "POST";
        request_.path = "/v1/chat/completions";
        request_.content_type = "application/json";
        request_.model = result_.task.model;
        request_.body = to_bytes(result_.task.challenge.body);
        request_.node = result_.task.node;
        request_.continues = result_.task.answerer == Answerer::node_itself;
        auto started = overlay.start(request_, *this);
        if (started)
            exchange_ = std::move(*started);
        else
            end(ChallengeOutcome::no_answer, started.error().message);
    }

    bool over() const { return over_; }
    const NodeId& node() const { return result_.task.node; }
    Time deadline() const { return result_.task.until; }
    void give_up() {
        if (received_ > 0) return end(ChallengeOutcome::no_verdict, "still answering");
        auto needed = time_to_answer(result_.task.challenge);
        if (!needed || deadline() - asked_at_ < *needed)
            return end(ChallengeOutcome::no_verdict, "no answer, but too little time to give one");
        end(ChallengeOutcome::no_answer, "no answer in time");
    }
    ChallengeResult take() { return std::move(result_); }

    void on_head(const inference::ReplyHead& head) override {
        status_ = head.status;
        streams_ = inference::is_event_stream(head);
        for (const auto& [name, value] : head.headers)
            if (name == "x-planetserve-model-node") elsewhere_ = value != request_.node->hex();
    }
    void on_body(ByteView bytes) override {
        if (over_) return;
        received_ += bytes.size();
        if (received_ > (streams_ ? limits.stream_bytes : limits.reply_bytes))
            return end_unsigned("the reply is too large");
        if (streams_) {
            auto fed = events_.feed(as_text(bytes), [this](std::string_view event) {
                // Only the last event of an answer has it.
                if (event.contains(signature_member)) reply_ = to_bytes(event);
                return true;
            });
            if (!fed) return end_unsigned(fed.error().message);
        } else {
            append(reply_, bytes);
        }
        exchange_->consumed(bytes.size());
    }
    void on_end() override { read(); }
    void on_error(const Error& error) override {
        // A node that leaves out a stream's end withholds the signature, while a user would already have the text.
        if (status_ == 200 && received_ > 0) return end_unsigned("broke off: " + error.message);
        end(ChallengeOutcome::no_answer, error.message);
    }

private:
    static constexpr std::string_view signature_member = "\"signed_answer\"";

    void end(ChallengeOutcome outcome, std::string why = {}) {
        if (std::exchange(over_, true)) return;
        result_.outcome = outcome;
        result_.why = std::move(why);
    }
    void end_unsigned(std::string why) {
        end(elsewhere_ ? ChallengeOutcome::no_verdict : ChallengeOutcome::not_signed, std::move(why));
    }
    void read() {
        if (over_) return;
        // The node is full or has no engine.
        if (status_ != 200) return end(ChallengeOutcome::no_answer, "status " + std::to_string(status_));
        auto reply = inference::parse_json(as_text(reply_), reply_memory);
        auto hex = reply ? inference::text_of(inference::find(inference::find(&*reply, "planetserve"), "signed_answer"))
                         : std::nullopt;
        if (!hex && streams_) return end(ChallengeOutcome::no_verdict, "the stream is not signed");
        if (!hex) return end_unsigned("the answer is not signed");
        auto bytes = from_hex(*hex);
        auto answer = scoring::parse_signed_answer(bytes ? ByteView(*bytes) : ByteView());
        if (!answer) return end_unsigned(answer.error().message);
        if (auto signature = scoring::verify(*answer); !signature) return end_unsigned(signature.error().message);
        if (answer->nonce != scoring::nonce_of(request_.id) || answer->request != crypto::sha256(request_.body) ||
            answer->model != request_.model)
            return end_unsigned("the signed answer is to another request");
        result_.answer = std::move(*answer);
        end(ChallengeOutcome::answered);
    }

    ChallengeResult result_;
    inference::Request request_;
    Time asked_at_{};
    unsigned status_ = 0;
    bool streams_ = false;
    bool elsewhere_ = false;  // another node than the asked one answers
    std::size_t received_ = 0;
    inference::EventStream events_;
    Bytes reply_;  // of a stream, the event with the signature
    bool over_ = false;
    std::unique_ptr<inference::Exchange> exchange_;
};

Challenger::Challenger(inference::Service& overlay, OnResult on_result)
    : overlay_(overlay), on_result_(std::move(on_result)) {}

Challenger::~Challenger() = default;

Status Challenger::add(ChallengeTask task) {
    if (tasks() >= limits.tasks) return fail(ErrorCode::exhausted, "too many challenges wait");
    Time at = task.at;
    waiting_.emplace(at, std::move(task));
    at_once_ = std::clamp(tasks() / 2, limits.fewest_at_once, limits.most_at_once);
    return {};
}

void Challenger::clear() {
    waiting_.clear();
    running_.clear();
}

void Challenger::on_timer(Now now) {
    last_timer_ = now.time;
    std::vector<ChallengeResult> results;
    for (auto at = running_.begin(); at != running_.end();) {
        if (!at->second->over() && at->second->deadline() <= now.time) at->second->give_up();
        if (!at->second->over()) {
            ++at;
            continue;
        }
        results.push_back(at->second->take());
        at = running_.erase(at);
    }
    for (auto at = next(); at != waiting_.end() && at->first <= now.time; at = next()) {
        ChallengeTask task = std::move(waiting_.extract(at).mapped());
        if (task.until - now.time < task.least) continue;
        auto asking = std::make_unique<Asking>(std::move(task));
        asking->start(overlay_, now);
        running_.emplace(next_number_++, std::move(asking));
    }
    for (ChallengeResult& result : results) on_result_(std::move(result));
}

// Replies arrive between timers and only mark their ends: an exchange must not be destroyed from within its own call.
Time Challenger::next_timer() const {
    Time next = Time::max();
    for (const auto& [number, asking] : running_)
        next = std::min(next, asking->over() ? last_timer_ : asking->deadline());
    if (auto waiting = this->next(); waiting != waiting_.end()) next = std::min(next, waiting->first);
    return next;
}

Challenger::Waiting::const_iterator Challenger::next() const {
    if (running_.size() >= at_once_) return waiting_.end();
    return std::ranges::find_if(waiting_, [this](const auto& waiting) {
        return std::ranges::none_of(running_,
                                    [&](const auto& running) { return running.second->node() == waiting.second.node; });
    });
}

}  // namespace planetserve::verification_agent
