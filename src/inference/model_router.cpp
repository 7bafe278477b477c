#include "inference/model_router.h"

#include <algorithm>
#include <map>
#include <stdexcept>

namespace planetserve::inference {

namespace {

class RoutedCall;

struct Engine {
    std::string model;
    Service* service;
    Admission admission;
    std::map<Admission::Ticket, std::weak_ptr<RoutedCall>> waiting;
    std::uint64_t served = 0;
    std::uint64_t refused = 0;
    bool pumping = false;
};

constexpr std::string_view overloaded_body =
    R"({"error":{"message":"The model is serving as many requests as it can. Try again later.","type":"server_error",)"
    R"("param":null,"code":"overloaded"}})";

}  // namespace

class RouterState : public std::enable_shared_from_this<RouterState> {
public:
    RouterState(ModelRouter::Defer run_later, const Clock& the_clock) : defer(std::move(run_later)), clock(the_clock) {}

    Engine* find(std::string_view model) {
        for (auto& engine : engines)
            if (engine->model == model) return engine.get();
        return nullptr;
    }
    // Lets those who wait start, later: never inside a call of theirs or of a sink.
    void pump_later(Engine& engine);
    void pump(Engine& engine);
    void turn_away_expired();

    ModelRouter::Defer defer;
    const Clock& clock;
    std::vector<std::unique_ptr<Engine>> engines;
    bool closed = false;
};

namespace {

// One request, between the asker's sink and an engine's exchange.
class RoutedCall final : public ReplySink, public std::enable_shared_from_this<RoutedCall> {
public:
    RoutedCall(std::shared_ptr<RouterState> router, Engine& engine, Request request, ReplySink& sink)
        : router_(std::move(router)), engine_(engine), request_(std::move(request)), sink_(&sink) {}

    void holds(Admission::Ticket ticket) { ticket_ = ticket; }

    // Has a place: begins at the engine.
    Status begin() {
        if (router_->closed) {
            leave(false);
            return fail(ErrorCode::unavailable, "this node is stopping");
        }
        auto exchange = engine_.service->start(std::move(request_), *this);
        if (!exchange) {
            leave(false);
            return std::unexpected(exchange.error());
        }
        exchange_ = std::move(*exchange);
        return {};
    }

    // Waited, and has a place now.
    void begin_late() {
        if (!sink_) return leave(false);
        if (Status begun = begin(); !begun && sink_) std::exchange(sink_, nullptr)->on_error(begun.error());
    }

    // Has no place and gets none.
    void refuse() {
        ticket_.reset();
        ++engine_.refused;
        router_->defer([self = shared_from_this(), seconds = engine_.admission.retry_after().count()] {
            self->tell_overloaded(seconds);
        });
    }

    void detach() {
        sink_ = nullptr;
        exchange_.reset();
        leave(false);
    }

    void consumed(std::size_t bytes) {
        if (exchange_) exchange_->consumed(bytes);
    }

private:
    void tell_overloaded(std::int64_t seconds) {
        if (!sink_) return;
        sink_->on_head({503, {{"content-type", "application/json"}, {"retry-after", std::to_string(seconds)}}});
        if (sink_) sink_->on_body(as_bytes(overloaded_body));
        if (sink_) std::exchange(sink_, nullptr)->on_end();
    }

    void on_head(const ReplyHead& head) override {
        if (sink_) sink_->on_head(head);
    }
    void on_body(ByteView bytes) override {
        if (sink_) sink_->on_body(bytes);
    }
    void on_end() override {
        auto self = shared_from_this();
        exchange_.reset();
        leave(true);
        if (sink_) std::exchange(sink_, nullptr)->on_end();
    }
    void on_error(const Error& error) override {
        auto self = shared_from_this();
        Error copy = error;  // it may be the exchange's
        exchange_.reset();
        leave(false);
        if (sink_) std::exchange(sink_, nullptr)->on_error(copy);
    }

    // Gives the place, or the place in the queue, back.
    void leave(bool served) {
        if (!ticket_) return;
        engine_.waiting.erase(*ticket_);
        if (served) {
            engine_.admission.finished(*ticket_, router_->clock.now());
            ++engine_.served;
        } else {
            engine_.admission.abandoned(*ticket_);
        }
        ticket_.reset();
        if (!router_->closed) router_->pump_later(engine_);
    }

    std::shared_ptr<RouterState> router_;
    Engine& engine_;
    Request request_;
    ReplySink* sink_;  // none once there is nothing more to tell
    std::optional<Admission::Ticket> ticket_;
    std::unique_ptr<Exchange> exchange_;
};

class RoutedExchange final : public Exchange {
public:
    explicit RoutedExchange(std::shared_ptr<RoutedCall> call) : call_(std::move(call)) {}
    ~RoutedExchange() override { call_->detach(); }
    void consumed(std::size_t bytes) override { call_->consumed(bytes); }

private:
    std::shared_ptr<RoutedCall> call_;
};

}  // namespace

void RouterState::pump_later(Engine& engine) {
    if (engine.admission.queued() == 0 || std::exchange(engine.pumping, true)) return;
    defer([weak = weak_from_this(), &engine] {
        auto self = weak.lock();
        if (!self) return;
        engine.pumping = false;
        if (!self->closed) self->pump(engine);
    });
}

void RouterState::pump(Engine& engine) {
    while (auto ticket = engine.admission.next(clock.now())) {
        auto node = engine.waiting.extract(*ticket);
        auto call = node ? node.mapped().lock() : nullptr;
        if (call)
            call->begin_late();
        else
            engine.admission.abandoned(*ticket);
    }
}

void RouterState::turn_away_expired() {
    for (auto& engine : engines) {
        for (Admission::Ticket ticket : engine->admission.expired(clock.now())) {
            auto node = engine->waiting.extract(ticket);
            if (auto call = node ? node.mapped().lock() : nullptr) call->refuse();
        }
    }
}

ModelRouter::ModelRouter(Defer defer, const Clock& clock)
    : state_(std::make_shared<RouterState>(std::move(defer), clock)) {}
ModelRouter::~ModelRouter() { state_->closed = true; }

void ModelRouter::add(std::string model, Service& engine, AdmissionLimits limits) {
    if (state_->find(model)) throw std::invalid_argument("two models are named " + model);
    state_->engines.push_back(std::make_unique<Engine>(std::move(model), &engine, Admission(limits)));
}

Result<std::unique_ptr<Exchange>> ModelRouter::start(Request request, ReplySink& sink) {
    Engine* engine = state_->find(request.model);
    if (!engine) {
        std::string names;
        for (const std::string& name : models()) names += (names.empty() ? "" : ", ") + name;
        return fail(ErrorCode::not_found, "this node does not serve the model \"" + request.model.substr(0, 128) +
                                              "\"; " + (names.empty() ? "it serves none" : "it serves: " + names));
    }
    Admission::Answer answer = engine->admission.ask(state_->clock.now());
    auto call = std::make_shared<RoutedCall>(state_, *engine, std::move(request), sink);
    switch (answer.decision) {
        case Admission::Decision::start: {
            call->holds(answer.ticket);
            if (Status begun = call->begin(); !begun) return std::unexpected(begun.error());
            break;
        }
        case Admission::Decision::wait:
            call->holds(answer.ticket);
            engine->waiting.emplace(answer.ticket, call);
            state_->pump_later(*engine);
            break;
        case Admission::Decision::refuse:
            call->refuse();
            break;
    }
    return std::make_unique<RoutedExchange>(std::move(call));
}

void ModelRouter::on_timer() { state_->turn_away_expired(); }

RouterStats ModelRouter::stats() const {
    RouterStats stats;
    Duration weighted{};
    std::uint64_t weights = 0;
    for (const auto& engine : state_->engines) {
        LoadStats one{engine->admission.running(), engine->admission.queued(), engine->admission.average_service(),
                      engine->served, engine->refused};
        stats.all.running += one.running;
        stats.all.queued += one.queued;
        stats.all.served += one.served;
        stats.all.refused += one.refused;
        if (one.average_service) {
            weighted += *one.average_service * static_cast<std::int64_t>(one.served);
            weights += one.served;
        }
        stats.models.emplace_back(engine->model, one);
    }
    if (weights > 0) stats.all.average_service = weighted / static_cast<std::int64_t>(weights);
    return stats;
}

std::vector<std::string> ModelRouter::models() const {
    std::vector<std::string> names;
    for (const auto& engine : state_->engines) names.push_back(engine->model);
    return names;
}

}  // namespace planetserve::inference
