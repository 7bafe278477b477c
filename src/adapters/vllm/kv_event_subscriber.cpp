#include "adapters/vllm/kv_event_subscriber.h"

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <stdexcept>

#include "adapters/vllm/zmq_socket.h"
#include "kvevents/kv_endpoint.h"
#include "kvevents/kv_event_decoder.h"

namespace planetserve::adapters {

namespace asio = boost::asio;

namespace {

// Messages that wait to be read; the publisher drops more of them.
constexpr int messages_waiting = 1000;
constexpr int first_pause_ms = 200;
constexpr int longest_pause_ms = 10'000;
constexpr int heartbeat_ms = 5'000;
constexpr int heartbeat_timeout_ms = 15'000;
// The number of the message that ends a replay.
constexpr std::uint64_t end_of_replay = 0xffffffffffffffff;

Time now() {
    return Time(std::chrono::duration_cast<Duration>(asio::steady_timer::clock_type::now().time_since_epoch()));
}

std::optional<std::uint64_t> number_of(const zmq::message_t& frame) {
    if (frame.size() != 8) return std::nullopt;
    return load_big_endian<std::uint64_t>(bytes_of(frame).first<8>());
}

}  // namespace

class KvEventSubscriber::Follower final : public kvevents::EventOrderOwner,
                                          public std::enable_shared_from_this<Follower> {
public:
    Follower(asio::io_context& context, KvEventOptions options, KvEventHandlers handlers)
        : context_(context),
          options_(std::move(options)),
          handlers_(std::move(handlers)),
          order_(*this, options_.replay_endpoint ? kvevents::Replay::available : kvevents::Replay::unavailable,
                 options_.replay_deadline),
          timer_(context) {
        try {
            published_ = std::make_shared<ZmqSocket>(context_, zmq_, zmq::socket_type::sub);
            zmq::socket_t& socket = published_->socket();
            set_up(socket);
            socket.set(zmq::sockopt::subscribe, options_.topic);
            watch_ = std::make_shared<ZmqSocket>(context_, zmq_, zmq::socket_type::pair);
            if (zmq_socket_monitor(socket.handle(), monitor_name,
                                   ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) != 0)
                throw zmq::error_t();
            watch_->socket().connect(monitor_name);
        } catch (const zmq::error_t& error) {
            throw std::invalid_argument(std::string("KV events: ") + error.what());
        }
    }

    void run() {
        published_->receive([this](const ZmqSocket::Message& message) { on_published(message); });
        watch_->receive([this](const ZmqSocket::Message& message) { on_socket_event(message); });
        try {
            published_->socket().connect(options_.endpoint);
        } catch (const zmq::error_t& error) {
            note(options_.endpoint + ": " + error.what(), KvNote::problem);
        }
    }

    void stop() {
        stopped_ = true;
        timer_.cancel();
        if (replay_) replay_->close();
        // This ends the monitor, too.
        published_->close();
        watch_->close();
    }

    KvEventStatus status() const {
        KvEventStatus status;
        status.state = !order_.connected() ? "connecting" : order_.replaying() ? "replaying" : "following";
        status.problem = problem_;
        status.order = order_.counters();
        status.unknown_events = unknown_events_;
        return status;
    }

private:
    static constexpr const char* monitor_name = "inproc://kv-events";

    static void set_up(zmq::socket_t& socket) {
        socket.set(zmq::sockopt::rcvhwm, messages_waiting);
        socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(kvevents::kv_batch_limit));
        socket.set(zmq::sockopt::reconnect_ivl, first_pause_ms);
        socket.set(zmq::sockopt::reconnect_ivl_max, longest_pause_ms);
        socket.set(zmq::sockopt::heartbeat_ivl, heartbeat_ms);
        socket.set(zmq::sockopt::heartbeat_timeout, heartbeat_timeout_ms);
        socket.set(zmq::sockopt::ipv6, true);
    }

    // topic, number, batch
    void on_published(const ZmqSocket::Message& message) {
        auto number = message.size() == 3 ? number_of(message[1]) : std::nullopt;
        if (!number)
            return note("a message that is no batch of KV events came from " + options_.endpoint, KvNote::problem);
        order_.on_batch(*number, bytes_of(message[2]), now());
        arm();
    }

    // The first frame has 6 bytes in the machine's order: the event (2) and a value (4). The address follows.
    void on_socket_event(const ZmqSocket::Message& message) {
        if (message.empty() || message[0].size() < 2) return;
        std::uint16_t event = 0;
        std::memcpy(&event, message[0].data(), sizeof(event));
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            note("follows the KV events of " + options_.endpoint, KvNote::over);
            order_.on_connected(now());
        } else if (event == ZMQ_EVENT_DISCONNECTED) {
            note("lost the connection to " + options_.endpoint + "; what its engine holds is unknown", KvNote::problem);
            order_.on_disconnected();
        }
        arm();
    }

    // Number and batch, after an empty frame as a REQ socket gets it.
    void on_replay(const ZmqSocket::Message& message) {
        const std::size_t first = !message.empty() && message[0].size() == 0 ? 1 : 0;
        auto number = message.size() == first + 2 ? number_of(message[first]) : std::nullopt;
        if (!number) return;
        if (*number == end_of_replay)
            order_.on_replay_end(now());
        else
            order_.on_replayed(*number, bytes_of(message[first + 1]), now());
        arm();
    }

    bool deliver(ByteView batch) override {
        auto decoded = kvevents::decode_kv_events(batch);
        if (!decoded) {
            note("cannot read a batch of KV events of " + options_.endpoint + ": " + decoded.error().message,
                 KvNote::problem);
            return false;
        }
        unknown_events_ += decoded->unknown;
        if (!stopped_) handlers_.on_events(decoded->events);
        return true;
    }

    void start_over(kvevents::Knowledge knowledge) override {
        if (!stopped_) handlers_.on_start_over(knowledge);
    }

    // Each request has a socket of its own, so that answers to an earlier one cannot be taken for answers to this one.
    void ask_replay(std::uint64_t from) override {
        if (replay_) replay_->close();
        try {
            replay_ = std::make_shared<ZmqSocket>(context_, zmq_, zmq::socket_type::dealer);
            set_up(replay_->socket());
            replay_->socket().connect(*options_.replay_endpoint);
            replay_->receive([this](const ZmqSocket::Message& message) { on_replay(message); });
            Bytes number;
            ByteWriter(number).u64(from);
            replay_->socket().send(zmq::message_t(), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
            replay_->socket().send(zmq::buffer(number), zmq::send_flags::dontwait);
        } catch (const zmq::error_t& error) {
            // The deadline ends this replay.
            note(*options_.replay_endpoint + ": " + error.what(), KvNote::problem);
        }
    }

    void arm() {
        const Time next = order_.next_timer();
        if (stopped_ || next == Time::max()) return void(timer_.cancel());
        timer_.expires_at(asio::steady_timer::time_point(next.time_since_epoch()));
        timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
            if (error || self->stopped_) return;
            self->order_.on_timer(now());
            self->arm();
        });
    }

    // Told once while it lasts: a publisher that cannot be understood sends the same again and again.
    void note(const std::string& line, KvNote kind) {
        const bool problem = kind == KvNote::problem;
        if (problem ? line == problem_ : problem_.empty() && followed_) return;
        followed_ = true;
        problem_ = problem ? line : "";
        if (!stopped_) handlers_.on_note(line, kind);
    }

    asio::io_context& context_;
    KvEventOptions options_;
    KvEventHandlers handlers_;
    kvevents::EventOrder order_;
    zmq::context_t zmq_{1};
    std::shared_ptr<ZmqSocket> published_;
    std::shared_ptr<ZmqSocket> watch_;
    std::shared_ptr<ZmqSocket> replay_;
    asio::steady_timer timer_;
    std::string problem_;
    bool followed_ = false;
    bool stopped_ = false;
    std::uint64_t unknown_events_ = 0;
};

KvEventSubscriber::KvEventSubscriber(asio::io_context& context, KvEventOptions options, KvEventHandlers handlers) {
    if (Status checked = kvevents::check_kv_endpoint(options.endpoint); !checked)
        throw std::invalid_argument(checked.error().message);
    if (options.replay_endpoint)
        if (Status checked = kvevents::check_kv_endpoint(*options.replay_endpoint); !checked)
            throw std::invalid_argument(checked.error().message);
    follower_ = std::make_shared<Follower>(context, std::move(options), std::move(handlers));
}

KvEventSubscriber::~KvEventSubscriber() { follower_->stop(); }

void KvEventSubscriber::run() { follower_->run(); }

KvEventStatus KvEventSubscriber::status() const { return follower_->status(); }

}  // namespace planetserve::adapters
