#include "bench/loopback_nodes.h"

#include <boost/asio/post.hpp>
#include <charconv>
#include <stdexcept>

namespace planetserve::bench {

namespace asio = boost::asio;

namespace {

class EchoExchange final : public inference::Exchange {
public:
    // The exchange may be destroyed while a step of it is posted.
    struct State {
        inference::ReplySink* sink = nullptr;
        Bytes piece;
        std::uint64_t left = 0;
        std::uint64_t window = inference::reply_window;
        bool head_sent = false;
        bool posted = false;
    };

    EchoExchange(asio::io_context& context, std::shared_ptr<State> state)
        : context_(context), state_(std::move(state)) {
        post();
    }
    ~EchoExchange() override { state_->sink = nullptr; }

    void consumed(std::size_t bytes) override {
        state_->window += bytes;
        post();
    }

private:
    void post() {
        if (std::exchange(state_->posted, true)) return;
        asio::post(context_, [state = state_] {
            state->posted = false;
            step(*state);
        });
    }

    static void step(State& state) {
        if (state.sink != nullptr && !std::exchange(state.head_sent, true))
            state.sink->on_head({200, {{"content-type", "application/octet-stream"}}});
        while (state.sink != nullptr && state.left > 0 && state.window > 0) {
            std::uint64_t size = std::min({state.left, state.window, std::uint64_t{state.piece.size()}});
            state.left -= size;
            state.window -= size;
            state.sink->on_body(ByteView(state.piece).first(size));
        }
        if (state.sink != nullptr && state.left == 0) std::exchange(state.sink, nullptr)->on_end();
    }

    asio::io_context& context_;
    std::shared_ptr<State> state_;
};

}  // namespace

wire::Hello loopback_hello(wire::Role role) {
    wire::Hello hello;
    hello.network.value[0] = 1;
    hello.role = role;
    hello.software = "bench";
    return hello;
}

Result<std::unique_ptr<inference::Exchange>> EchoEngine::start(inference::Request request, inference::ReplySink& sink) {
    constexpr std::string_view prefix = "/v1/echo/";
    constexpr std::size_t piece = 64 * 1024;
    auto state = std::make_shared<EchoExchange::State>();
    std::string_view path = request.path;
    if (!path.starts_with(prefix) || request.body.empty())
        return fail(ErrorCode::invalid_argument, "a body is echoed by /v1/echo/N");
    path.remove_prefix(prefix.size());
    std::from_chars(path.data(), path.data() + path.size(), state->left);
    state->sink = &sink;
    while (state->piece.size() < std::min<std::uint64_t>(piece, state->left)) append(state->piece, request.body);
    return std::make_unique<EchoExchange>(context_, std::move(state));
}

LoopbackNode::LoopbackNode(NodeKind kind)
    : kind_(kind), keys_{crypto::Identity::generate(random_), crypto::AgreementKey::generate(random_)} {
    wire::Role role = kind_ == NodeKind::model ? wire::Role::model : wire::Role::user;
    adapters::LinkOptions options;
    options.takes_calls = true;
    links_ = std::make_unique<adapters::LinkManager>(
        context_, keys_.identity, loopback_hello(role), options, static_cast<adapters::LinkEvents&>(*this),
        [this](const NodeId& id) {
            auto found = book_.find(id);
            return found == book_.end() ? std::vector<Endpoint>{} : std::vector<Endpoint>{found->second};
        },
        random_, clock_);
    auto bound = links_->listen({"127.0.0.1", 0});
    if (!bound) throw std::runtime_error(bound.error().message);
    place_ = {keys_.identity.id(), keys_.onion.public_key(), *bound};
    if (kind_ == NodeKind::relay) relay_.emplace(keys_, node::UserNodeOptions{}, *links_, random_, clock_);
    if (kind_ == NodeKind::model) model_node_.emplace(keys_, node::ModelNodeOptions{}, *links_, echo_, random_, clock_);
}

LoopbackNode::~LoopbackNode() = default;

void LoopbackNode::run(const std::vector<NodePlace>& book) {
    for (const NodePlace& place : book) book_[place.id] = place.endpoint;
    const NodePlace& model = book[book.size() - 2];
    model_ = model.id;
    if (relay_) {
        // A proxy passes requests on to model nodes of its list alone.
        node::DirectoryView view;
        view.models.push_back({model.id, model.onion_key, {"echo"}, 4});
        relay_->requests().update_directory(std::move(view));
    }
    context_.run();
}

void LoopbackNode::on_link_down(const NodeId& peer, const Error&) {
    if (relay_) relay_->on_link_down(peer);
    if (model_node_) model_node_->on_link_down(peer);
    rearm();
}

void LoopbackNode::on_drained(const NodeId& peer) {
    if (relay_) relay_->on_drained(peer);
    if (model_node_) model_node_->on_drained(peer);
    rearm();
}

void LoopbackNode::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    if (type == wire::FrameType::call_request)
        on_call(from, payload);
    else if (type == wire::FrameType::call_response && kind_ == NodeKind::forwarder)
        (void)links_->send(requester_, wire::FrameType::call_response, {payload});
    else if (relay_)
        relay_->on_frame(from, type, payload);
    else if (model_node_)
        model_node_->on_frame(from, type, payload);
    rearm();
}

void LoopbackNode::on_call(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    ByteView id = reader.bytes(8);
    auto call = static_cast<Call>(reader.u8());
    if (call == Call::use) {
        Bytes answer;
        ByteWriter writer(answer);
        writer.u64(static_cast<std::uint64_t>(process_cpu_seconds() * 1e9));
        writer.u64(links_->counters().bytes_out);
        (void)links_->send(from, wire::FrameType::call_response, {id, answer});
        return;
    }
    if (kind_ == NodeKind::forwarder) {
        requester_ = from;
        (void)links_->send(model_, wire::FrameType::call_request, {payload});
        return;
    }
    switch (call) {
        case Call::echo:
            (void)links_->send(from, wire::FrameType::call_response, {id, reader.rest()});
            return;
        case Call::pour: {
            std::uint64_t total = reader.u64();
            pourer_.start(total, reader.u32());
            break;
        }
        case Call::taken:
            pourer_.taken(reader.u64());
            break;
        case Call::use:
            return;
    }
    pourer_.pour(*links_, from);
}

Time LoopbackNode::next_timer() const {
    if (relay_) return relay_->next_timer();
    return model_node_ ? model_node_->next_timer() : Time::max();
}

// As the roles do it: timers are looked at again after the events at hand.
void LoopbackNode::rearm() {
    if (std::exchange(rearm_posted_, true)) return;
    asio::post(context_, [this] {
        rearm_posted_ = false;
        arm_timer();
    });
}

void LoopbackNode::arm_timer() {
    Time next = next_timer();
    if (next >= armed_ || next == Time::max()) return;
    armed_ = next;
    timer_.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(next.time_since_epoch())));
    timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;
        armed_ = Time::max();
        if (relay_) relay_->on_timer();
        if (model_node_) model_node_->on_timer();
        rearm();
    });
}

}  // namespace planetserve::bench
