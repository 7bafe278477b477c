#include "adapters/links/link_manager.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

namespace planetserve::adapters {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr Duration timer_interval = 1s;
// Peers remembered without a link, for their backoff.
constexpr std::size_t maximum_remembered = 16384;
constexpr std::string_view duplicate = "a link in the other direction is preferred";

void add(LinkCounters& to, const LinkCounters& more) {
    to.frames_in += more.frames_in;
    to.frames_out += more.frames_out;
    to.bytes_in += more.bytes_in;
    to.bytes_out += more.bytes_out;
}

}  // namespace

struct LinkManager::Dial {
    Dial(asio::io_context& context, const NodeId& own_id, std::vector<Endpoint> own_endpoints)
        : id(own_id), endpoints(std::move(own_endpoints)), resolver(context), socket(context) {}

    NodeId id;
    std::vector<Endpoint> endpoints;
    std::size_t next = 0;
    tcp::resolver resolver;
    tcp::socket socket;
    Time deadline{};
    bool cancelled = false;
    std::string last_error = "no address";

    void cancel() {
        cancelled = true;
        error_code ignored;
        resolver.cancel();
        socket.close(ignored);
    }
};

LinkManager::LinkManager(asio::io_context& context, const crypto::Identity& identity, wire::Hello hello,
                         LinkOptions options, LinkEvents& events, Resolver resolver, Random& random, const Clock& clock)
    : context_(context),
      self_(identity.id()),
      ssl_context_(make_link_context(identity)),
      hello_(std::move(hello)),
      options_(options),
      events_(events),
      resolver_(std::move(resolver)),
      random_(random),
      clock_(clock),
      acceptor_(context),
      timer_(context) {
    // OpenSSL writes to sockets without MSG_NOSIGNAL; a peer that is gone shows as an error of the write instead.
    std::signal(SIGPIPE, SIG_IGN);
    arm_timer();
}

LinkManager::~LinkManager() {
    *alive_ = false;
    shut_down();
}

Result<Endpoint> LinkManager::listen(const Endpoint& endpoint) {
    auto refuse = [&](const error_code& error) {
        return fail(ErrorCode::io, "cannot listen on " + endpoint.to_string() + ": " + error.message());
    };
    error_code error;
    auto address = asio::ip::make_address(endpoint.host, error);
    if (error) return fail(ErrorCode::invalid_argument, "'" + endpoint.host + "' is not an IP address to listen on");
    tcp::endpoint local(address, endpoint.port);
    acceptor_.open(local.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(local, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) return refuse(error);
    Endpoint bound{endpoint.host, acceptor_.local_endpoint().port()};
    accept();
    return bound;
}

void LinkManager::accept() {
    acceptor_.async_accept([this, alive = alive_](error_code error, tcp::socket socket) {
        if (!*alive || stopped_ || error == asio::error::operation_aborted) return;
        if (!error && handshakes_.size() < options_.maximum_handshakes && links() < options_.maximum_links) {
            auto link = std::make_shared<Link>(std::move(socket), ssl_context_.get(), Link::Side::accepted,
                                               std::nullopt, hello_, options_, static_cast<LinkOwner&>(*this));
            handshakes_.emplace(link.get(), link);
            link->start(clock_.now());
        }
        accept();
    });
}

Status LinkManager::send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (ByteView part : parts) size += part.size();
    auto limits = wire::payload_limits(static_cast<std::uint8_t>(type));
    if (!limits || size < limits->minimum || size > limits->maximum)
        return fail(ErrorCode::invalid_argument,
                    "a frame of " + std::to_string(size) + " bytes is outside its type's limits");
    if (stopped_) return fail(ErrorCode::unavailable, "this node is shutting down");
    auto found = peers_.find(to);
    if (found == peers_.end()) {
        if (peers_.size() >= maximum_remembered) return fail(ErrorCode::exhausted, "too many peers");
        found = peers_.try_emplace(to).first;
    }
    Peer& peer = found->second;
    if (peer.link) {
        if (peer.link->queued() + size > options_.maximum_queue)
            return fail(ErrorCode::exhausted, "the queue to node " + to.brief() + " is full");
        peer.link->write(type, parts);
        return {};
    }
    bool connecting = peer.dial || peer.dialed || peer.expecting_until;
    if (!connecting) {
        if (clock_.now() < peer.not_before)
            return fail(ErrorCode::unavailable, "node " + to.brief() + " could not be reached just now");
        if (links() >= options_.maximum_links) return fail(ErrorCode::exhausted, "as many links as this node may have");
        auto endpoints = to == self_ ? std::vector<Endpoint>{} : resolver_(to);
        if (endpoints.empty()) {
            peers_.erase(found);
            return fail(ErrorCode::unavailable, "no address of node " + to.brief() + " is known");
        }
        dial(to, peer, std::move(endpoints));
    }
    if (peer.waiting.size() + size > options_.maximum_queue)
        return fail(ErrorCode::exhausted, "the queue to node " + to.brief() + " is full");
    wire::append_frame_header(peer.waiting, type, size);
    for (ByteView part : parts) append(peer.waiting, part);
    ++peer.waiting_frames;
    return {};
}

std::size_t LinkManager::queued_bytes(const NodeId& to) const {
    auto peer = peers_.find(to);
    if (peer == peers_.end()) return 0;
    return peer->second.link ? peer->second.link->queued() : peer->second.waiting.size();
}

void LinkManager::dial(const NodeId& id, Peer& peer, std::vector<Endpoint> endpoints) {
    peer.dial = std::make_shared<Dial>(context_, id, std::move(endpoints));
    peer.dial->deadline = clock_.now() + options_.dial_deadline;
    // send must not call events, so even the first step is posted.
    asio::post(context_, [this, alive = alive_, dial = peer.dial] {
        if (*alive && !dial->cancelled) resolve_next(dial);
    });
}

void LinkManager::resolve_next(const std::shared_ptr<Dial>& dial) {
    if (dial->next >= dial->endpoints.size())
        return dial_failed(
            dial->id, {ErrorCode::unavailable, "node " + dial->id.brief() + " cannot be reached: " + dial->last_error});
    const Endpoint& endpoint = dial->endpoints[dial->next++];
    error_code error;
    auto address = asio::ip::make_address(endpoint.host, error);
    if (!error) {
        tcp::endpoint remote(address, endpoint.port);
        return connect(dial, tcp::resolver::results_type::create(remote, endpoint.host, std::to_string(endpoint.port)));
    }
    dial->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port),
                                 [this, alive = alive_, dial](error_code failed, tcp::resolver::results_type results) {
                                     if (!*alive || dial->cancelled) return;
                                     if (!failed) return connect(dial, std::move(results));
                                     dial->last_error = failed.message();
                                     resolve_next(dial);
                                 });
}

void LinkManager::connect(const std::shared_ptr<Dial>& dial, tcp::resolver::results_type results) {
    asio::async_connect(dial->socket, results, [this, alive = alive_, dial](error_code failed, const tcp::endpoint&) {
        if (!*alive || dial->cancelled) return;
        if (failed) {
            dial->last_error = failed.message();
            return resolve_next(dial);
        }
        auto found = peers_.find(dial->id);
        if (found == peers_.end() || found->second.dial != dial) return;
        Peer& peer = found->second;
        peer.dial.reset();
        peer.dialed = std::make_shared<Link>(std::move(dial->socket), ssl_context_.get(), Link::Side::dialed, dial->id,
                                             hello_, options_, static_cast<LinkOwner&>(*this));
        auto link = peer.dialed;
        link->start(clock_.now());
    });
}

Status LinkManager::on_link_ready(Link& link) {
    const NodeId id = link.peer();
    if (id == self_) return fail(ErrorCode::invalid_argument, "a link to oneself");
    Peer& peer = peers_[id];
    if (link.side() == Link::Side::accepted) {
        // Both ends dialled at once: the connection that the lower id dialled is kept. Nothing was sent on the other
        // yet.
        if ((peer.dial || peer.dialed) && self_ < id) return fail(ErrorCode::already_exists, std::string(duplicate));
        if (peer.dial) peer.dial->cancel();
        if (peer.dialed) peer.dialed->abandon();
        // The peer lost its end of the link that was here.
        if (peer.link) {
            peer.link->abandon();
            add(past_, peer.link->counters());
            peer.link.reset();
            events_.on_link_down(id, {ErrorCode::unavailable, "the peer connected anew"});
        }
        auto accepted = handshakes_.extract(&link);
        Peer& again = peers_[id];
        again.link = std::move(accepted.mapped());
        again.dial.reset();
        again.dialed.reset();
    } else {
        peer.link = std::move(peer.dialed);
        peer.dialed.reset();
    }
    Peer& ready = peers_[id];
    ready.backoff = {};
    ready.not_before = {};
    ready.expecting_until.reset();
    Bytes waiting = std::exchange(ready.waiting, Bytes{});
    ready.waiting_frames = 0;
    for (std::size_t at = 0; at < waiting.size();) {
        auto header = wire::parse_frame_header(ByteView(waiting).subspan(at));
        link.write(header->type, {ByteView(waiting).subspan(at + wire::frame_header_size, header->payload_size)});
        at += wire::frame_header_size + header->payload_size;
    }
    events_.on_link_up(id, link.peer_hello());
    return {};
}

void LinkManager::on_link_frame(Link& link, wire::FrameType type, MutableByteView payload) {
    reading_ = true;
    events_.on_frame(link.peer(), type, payload);
}

// Written to from within a reading, a link is flushed right after it; otherwise when the loop comes to it.
void LinkManager::request_flush(Link& link) {
    to_flush_.push_back(link.shared_from_this());
    if (reading_ || std::exchange(flush_posted_, true)) return;
    asio::post(context_, [this, alive = alive_] {
        if (!*alive) return;
        flush_posted_ = false;
        on_link_read();
    });
}

void LinkManager::on_link_read() {
    reading_ = false;
    // A flush may call events, which write again.
    while (!to_flush_.empty() && flushing_.empty()) {
        flushing_.swap(to_flush_);
        for (const auto& link : flushing_) link->flush();
        flushing_.clear();
    }
}

void LinkManager::on_link_drained(Link& link) { events_.on_drained(link.peer()); }

void LinkManager::on_link_closed(Link& link, const Error& why) {
    add(past_, link.counters());
    if (handshakes_.erase(&link) > 0) return;
    for (auto& [id, peer] : peers_) {
        if (peer.link.get() == &link) {
            NodeId lost = id;
            peer.link.reset();
            events_.on_link_down(lost, why);
            return;
        }
        if (peer.dialed.get() != &link) continue;
        peer.dialed.reset();
        if (why.message.find(duplicate) != std::string::npos) {
            peer.expecting_until =
                clock_.now() + options_.handshake_deadline;  // the peer's own connection is on its way
            return;
        }
        return dial_failed(NodeId(id), why);
    }
}

void LinkManager::dial_failed(const NodeId& id, const Error& why) {
    auto found = peers_.find(id);
    if (found == peers_.end()) return;
    give_up(id, found->second, why);
}

void LinkManager::give_up(const NodeId& id, Peer& peer, const Error& why) {
    if (peer.dial) peer.dial->cancel();
    peer.dial.reset();
    peer.expecting_until.reset();
    peer.waiting = Bytes{};
    peer.waiting_frames = 0;
    peer.backoff =
        peer.backoff == Duration{} ? options_.backoff_first : std::min(peer.backoff * 2, options_.backoff_most);
    auto jitter = static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(peer.backoff.count() / 2) + 1));
    peer.not_before = clock_.now() + peer.backoff / 2 + Duration(jitter);
    events_.on_link_down(NodeId(id), why);
}

void LinkManager::arm_timer() {
    timer_.expires_after(timer_interval);
    timer_.async_wait([this, alive = alive_](error_code error) {
        if (error || !*alive || stopped_) return;
        on_timer();
        arm_timer();
    });
}

void LinkManager::on_timer() {
    Time now = clock_.now();
    std::vector<std::shared_ptr<Link>> all;
    for (auto& [raw, link] : handshakes_) all.push_back(link);
    std::vector<NodeId> late;
    for (auto& [id, peer] : peers_) {
        if (peer.link) all.push_back(peer.link);
        if (peer.dialed) all.push_back(peer.dialed);
        if ((peer.dial && now >= peer.dial->deadline) || (peer.expecting_until && now >= *peer.expecting_until))
            late.push_back(id);
    }
    for (auto& link : all) link->on_timer(now);
    for (const NodeId& id : late)
        dial_failed(id, {ErrorCode::timed_out, "node " + id.brief() + " did not answer in time"});
    std::erase_if(peers_, [&](const auto& item) {
        const Peer& peer = item.second;
        return !peer.link && !peer.dial && !peer.dialed && !peer.expecting_until &&
               now >= peer.not_before + options_.backoff_most;
    });
}

void LinkManager::shut_down() {
    if (std::exchange(stopped_, true)) return;
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
    for (auto& [raw, link] : handshakes_) link->abandon();
    for (auto& [id, peer] : peers_) {
        if (peer.link) peer.link->close({ErrorCode::unavailable, "shutting down"});
        if (peer.dialed) peer.dialed->abandon();
        if (peer.dial) peer.dial->cancel();
    }
    handshakes_.clear();
    peers_.clear();
}

std::size_t LinkManager::links() const {
    std::size_t count = handshakes_.size();
    for (const auto& [id, peer] : peers_) count += peer.link || peer.dial || peer.dialed ? 1 : 0;
    return count;
}

LinkCounters LinkManager::counters() const {
    LinkCounters sum = past_;
    for (const auto& [id, peer] : peers_)
        if (peer.link) add(sum, peer.link->counters());
    return sum;
}

}  // namespace planetserve::adapters
