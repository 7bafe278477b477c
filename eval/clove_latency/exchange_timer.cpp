#include "eval/clove_latency/exchange_timer.h"

#include <time.h>

#include <algorithm>

namespace planetserve::eval {

namespace {

constexpr dispersal::Threshold threshold{4, 3};

}  // namespace

double processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) * 1e-3;
}

struct ExchangeTimer::Exchange final : inference::Exchange {
    void consumed(std::size_t) override {}
};

ExchangeTimer::ExchangeTimer(Random& random)
    : random_(random), model_node_(random.id<NodeId>()), onion_key_(crypto::AgreementKey::generate(random)) {
    for (std::uint8_t i = 0; i < threshold.n; ++i) {
        exchange::Lane lane{random.id<NodeId>(), random.id<ReplyHandle>()};
        lane.handle.value[0] = i;
        lanes_.push_back(lane);
    }
}

Result<ExchangeTimes> ExchangeTimer::run(ByteView request_body, const std::vector<Bytes>& answer_pieces) {
    wire::FrameSender& frames = *this;
    inference::Service& service = *this;
    exchange::RunEvents& runs = *this;
    model_side_.emplace(model_node_, onion_key_, exchange::ModelSideLimits{}, frames, service, random_, runs);
    to_model_node_.clear();
    to_user_.clear();
    sink_ = nullptr;
    answer_received_ = unread_ = 0;
    ended_ = false;
    error_.reset();
    inference::Request request{random_.id<IdempotencyId>(), "POST",  "/v1/chat/completions",
                               "application/json",          "model", to_bytes(request_body)};

    ExchangeTimes times;
    double begin = processor_time();
    const auto owner = exchange::owner_of(request.id, {});
    exchange::UserSide user_side(
        std::move(request), owner, {model_node_, onion_key_.public_key()}, threshold, lanes_,
        [](const NodeId&) { return std::nullopt; }, {}, random_, *this, *this);
    if (Status started = user_side.start(now); !started) return std::unexpected(started.error());
    times.prepare_prompt = processor_time() - begin;

    begin = processor_time();
    deliver_to_model_node();
    times.open_prompt = processor_time() - begin;
    if (sink_ == nullptr || !std::ranges::equal(request_received_, request_body))
        return fail(ErrorCode::internal, "the request did not arrive as it was sent");
    deliver_to_user(user_side);

    std::size_t answer_size = 0;
    for (std::size_t i = 0; i < answer_pieces.size(); ++i) {
        answer_size += answer_pieces[i].size();
        begin = processor_time();
        if (i == 0) sink_->on_head({200, {{"content-type", "application/json"}}});
        sink_->on_body(answer_pieces[i]);
        if (i + 1 == answer_pieces.size()) sink_->on_end();
        times.prepare_piece.push_back(processor_time() - begin);
        times.open_piece.push_back(deliver_to_user(user_side));
        // More than the window takes goes out as the user reads.
        while (!to_model_node_.empty() && !ended_) {
            begin = processor_time();
            deliver_to_model_node();
            times.prepare_piece.back() += processor_time() - begin;
            times.open_piece.back() += deliver_to_user(user_side);
        }
        times.prepare_answer += times.prepare_piece.back();
        times.open_answer += times.open_piece.back();
    }
    if (error_) return std::unexpected(*error_);
    if (!ended_ || answer_received_ != answer_size)
        return fail(ErrorCode::internal, "the answer did not arrive as it was sent");
    return times;
}

void ExchangeTimer::deliver_to_model_node() {
    std::vector<Sent> sent = std::exchange(to_model_node_, {});
    for (const Sent& one : sent) model_side_->on_clove(lanes_[one.lane].proxy, one.envelope, now);
}

double ExchangeTimer::deliver_to_user(exchange::UserSide& user_side) {
    std::vector<Sent> sent = std::exchange(to_user_, {});
    double begin = processor_time();
    for (const Sent& one : sent) user_side.on_clove(one.lane, one.envelope, now);
    if (unread_ > 0) user_side.consumed(std::exchange(unread_, 0));
    return processor_time() - begin;
}

Status ExchangeTimer::send(const NodeId&, wire::FrameType, std::initializer_list<ByteView> parts) {
    Bytes payload;
    for (ByteView part : parts) append(payload, part);
    to_user_.push_back({payload[0], to_bytes(ByteView(payload).subspan(ReplyHandle::size))});
    return {};
}

Result<std::unique_ptr<inference::Exchange>> ExchangeTimer::start(inference::Request request,
                                                                  inference::ReplySink& sink) {
    sink_ = &sink;
    request_received_ = std::move(request.body);
    return std::make_unique<Exchange>();
}

void ExchangeTimer::send(std::size_t lane, ByteView envelope) { to_model_node_.push_back({lane, to_bytes(envelope)}); }

void ExchangeTimer::on_body(ByteView bytes) {
    answer_received_ += bytes.size();
    unread_ += bytes.size();
}

}  // namespace planetserve::eval
