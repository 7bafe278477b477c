#include "inference/model_router.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "base/detaching_handle.h"

namespace planetserve::inference {

namespace {

// Of a client's text in an error, in characters.
constexpr std::size_t maximum_quoted = 128;

constexpr std::string_view overloaded_body =
    R"({"error":{"message":"The model is serving as many requests as it can. Try again later.","type":"server_error",)"
    R"("param":null,"code":"overloaded"}})";

// The user resumes a stream elsewhere.
const Error overdue_error{ErrorCode::unavailable, "the request was ended: it ran for long, and others wait"};

}  // namespace

struct ModelRouter::Engine {
    std::string model;
    Service* service;
    Admission admission;
    std::map<Admission::Ticket, std::weak_ptr<Call>> calls{};  // that wait or run
    std::uint64_t served = 0;
    std::uint64_t refused = 0;
    bool pumping = false;  // pump() is to be called

    // Null for a call that is gone.
    std::shared_ptr<Call> find(Admission::Ticket ticket) const {
        auto found = calls.find(ticket);
        return found == calls.end() ? nullptr : found->second.lock();
    }
};

// One request, between its sink and an engine's exchange. It may outlive the router; then it has no engine either.
class ModelRouter::Call final : public ReplySink, public std::enable_shared_from_this<Call> {
public:
    Call(ModelRouter& router, Engine& engine, Request request, ReplySink& sink)
        : router_(router),
          router_life_(router.lifetime_.watch()),
          engine_(engine),
          request_(std::move(request)),
          sink_(&sink) {}

    void holds(Admission::Ticket ticket) { ticket_ = ticket; }

    // Has a place: begins at the engine.
    Status begin() {
        auto exchange = engine_.service->start(std::move(request_), *this);
        if (!exchange) {
            leave(Outcome::abandoned);
            return std::unexpected(exchange.error());
        }
        exchange_ = std::move(*exchange);
        return {};
    }

    // Waited, and has a place now.
    void begin_late() {
        if (!sink_) return leave(Outcome::abandoned);
        if (Status begun = begin(); !begun && sink_) std::exchange(sink_, nullptr)->on_error(begun.error());
    }

    // Has no place and gets none.
    void refuse() {
        if (ticket_) engine_.calls.erase(*std::exchange(ticket_, std::nullopt));
        ++engine_.refused;
        router_.defer_([self = shared_from_this(), seconds = engine_.admission.retry_after().count()] {
            self->tell_overloaded(seconds);
        });
    }

    // Had its place for long enough.
    void end_early() {
        auto self = shared_from_this();
        exchange_.reset();
        leave(Outcome::abandoned);
        if (sink_) std::exchange(sink_, nullptr)->on_error(overdue_error);
    }

    void detach() {
        sink_ = nullptr;
        exchange_.reset();
        leave(Outcome::abandoned);
    }

    void consumed(std::size_t bytes) {
        if (exchange_) exchange_->consumed(bytes);
    }

private:
    enum class Outcome { served, abandoned };

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
        leave(Outcome::served);
        if (sink_) std::exchange(sink_, nullptr)->on_end();
    }
    void on_error(const Error& error) override {
        auto self = shared_from_this();
        const Error copy = error;  // NOLINT(performance-unnecessary-copy-initialization): it may be the exchange's
        exchange_.reset();
        leave(Outcome::abandoned);
        if (sink_) std::exchange(sink_, nullptr)->on_error(copy);
    }

    // Gives the place, or the place in the queue, back.
    void leave(Outcome outcome) {
        if (!ticket_ || router_life_.gone()) return;
        engine_.calls.erase(*ticket_);
        if (outcome == Outcome::served) {
            engine_.admission.finished(*ticket_, router_.clock_.now());
            ++engine_.served;
        } else {
            engine_.admission.abandoned(*ticket_);
        }
        ticket_.reset();
        router_.pump_later(engine_);
    }

    ModelRouter& router_;
    Lifetime::Watch router_life_;
    Engine& engine_;
    Request request_;
    ReplySink* sink_;  // null once there is nothing more to tell
    std::optional<Admission::Ticket> ticket_;
    std::unique_ptr<Exchange> exchange_;
};

class ModelRouter::Handle final : public DetachingHandle<Exchange, Call> {
public:
    using DetachingHandle::DetachingHandle;
    void consumed(std::size_t bytes) override { call().consumed(bytes); }
};

ModelRouter::ModelRouter(Defer defer, const Clock& clock) : defer_(std::move(defer)), clock_(clock) {}
ModelRouter::~ModelRouter() = default;

ModelRouter::Engine* ModelRouter::find(std::string_view model) {
    for (auto& engine : engines_)
        if (engine->model == model) return engine.get();
    return nullptr;
}

void ModelRouter::pump_later(Engine& engine) {
    if (engine.admission.queued() == 0 || std::exchange(engine.pumping, true)) return;
    defer_([this, owner = lifetime_.watch(), &engine] {
        if (owner.gone()) return;
        engine.pumping = false;
        pump(engine);
    });
}

void ModelRouter::pump(Engine& engine) {
    while (auto ticket = engine.admission.next(clock_.now())) {
        if (auto call = engine.find(*ticket))
            call->begin_late();
        else
            engine.admission.abandoned(*ticket);
    }
}

void ModelRouter::add(std::string model, Service& engine, AdmissionLimits limits) {
    if (find(model)) throw std::invalid_argument("two models are named " + model);
    engines_.push_back(std::make_unique<Engine>(std::move(model), &engine, Admission(limits)));
}

Result<std::unique_ptr<Exchange>> ModelRouter::start(Request request, ReplySink& sink) {
    Engine* engine = find(request.model);
    if (!engine) {
        std::string names;
        for (const std::string& name : models()) names += (names.empty() ? "" : ", ") + name;
        return fail(ErrorCode::not_found, "this node does not serve the model \"" +
                                              request.model.substr(0, maximum_quoted) + "\"; " +
                                              (names.empty() ? "it serves none" : "it serves: " + names));
    }
    Admission::Answer answer = engine->admission.ask(request.via.value_or(NodeId{}), clock_.now(), request.tokens);
    if (auto displaced = answer.displaced ? engine->find(*answer.displaced) : nullptr) displaced->refuse();
    auto call = std::make_shared<Call>(*this, *engine, std::move(request), sink);
    switch (answer.decision) {
        case Admission::Decision::start: {
            call->holds(answer.ticket);
            engine->calls.emplace(answer.ticket, call);
            if (Status begun = call->begin(); !begun) return std::unexpected(begun.error());
            break;
        }
        case Admission::Decision::wait:
            call->holds(answer.ticket);
            engine->calls.emplace(answer.ticket, call);
            pump_later(*engine);
            break;
        case Admission::Decision::refuse:
            call->refuse();
            break;
    }
    return std::make_unique<Handle>(std::move(call));
}

void ModelRouter::on_timer() {
    for (auto& engine : engines_) {
        for (Admission::Ticket ticket : engine->admission.expired(clock_.now()))
            if (auto call = engine->find(ticket)) call->refuse();
        for (Admission::Ticket ticket : engine->admission.overdue(clock_.now()))
            if (auto call = engine->find(ticket)) call->end_early();
    }
}

RouterStats ModelRouter::stats() const {
    RouterStats stats;
    Duration weighted{};
    std::uint64_t weights = 0;
    for (const auto& engine : engines_) {
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
    for (const auto& engine : engines_) names.push_back(engine->model);
    return names;
}

}  // namespace planetserve::inference
