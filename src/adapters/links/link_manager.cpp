#include "adapters/links/link_manager.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <csignal>

#include "adapters/links/descriptors.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr Duration timer_interval = 1s;
// Peers remembered without a link, for their backoff.
constexpr std::size_t maximum_remembered = 16384;
constexpr Duration accept_pause_first = 100ms;
constexpr Duration accept_pause_most = 1s;
constexpr std::string_view no_room = "as many links as this node may have";

void add(LinkCounters& to, const LinkCounters& more) {
    to.frames_in += more.frames_in;
    to.frames_out += more.frames_out;
    to.bytes_in += more.bytes_in;
    to.bytes_out += more.bytes_out;
}

auto refuse_duplicate() {
    return wire::refuse(wire::GoodbyeReason::duplicate, ErrorCode::already_exists,
                        "a link in the other direction is preferred");
}

// The holder of an IPv6 network has all addresses of a /64.
asio::ip::address group_of(const asio::ip::address& address) {
    if (address.is_v4()) return address;
    if (address.to_v6().is_v4_mapped()) return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6(bytes);
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
      accept_timer_(context),
      timer_(context) {
    std::size_t wanted = options_.maximum_links + options_.maximum_handshakes + other_descriptors;
    options_.maximum_links =
        std::min(options_.maximum_links, links_within(raise_descriptor_limit(wanted), options_.maximum_handshakes));
    // Asio writes to sockets with MSG_NOSIGNAL, and OpenSSL to none. What is left are the process's pipes: one whose
    // reader is gone shows as an error of the write.
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
        if (error) return pause_accepting();
        accept_pause_ = {};
        take_connection(std::move(socket));
        accept();
    });
}

// Out of descriptors or memory, the next attempt would fail at once, for as long as a connection waits.
void LinkManager::pause_accepting() {
    accept_pause_ = accept_pause_ == Duration{} ? accept_pause_first : std::min(accept_pause_ * 2, accept_pause_most);
    accept_timer_.expires_after(accept_pause_);
    accept_timer_.async_wait([this, alive = alive_](error_code error) {
        if (!error && *alive && !stopped_) accept();
    });
}

void LinkManager::take_connection(tcp::socket socket) {
    error_code error;
    auto remote = socket.remote_endpoint(error);
    if (error || handshakes_.size() >= options_.maximum_handshakes) return;
    auto group = group_of(remote.address());
    auto same = std::count_if(handshakes_.begin(), handshakes_.end(),
                              [&](const auto& item) { return item.second.group == group; });
    if (static_cast<std::size_t>(same) >= options_.maximum_handshakes_per_address) return;
    auto link = std::make_shared<Link>(std::move(socket), ssl_context_.get(), Link::Side::accepted, std::nullopt,
                                       hello_, options_, static_cast<LinkOwner&>(*this));
    handshakes_.emplace(link.get(), Handshake{link, group, ++events_counted_});
    link->start(clock_.now());
}

std::size_t LinkManager::established() const {
    return static_cast<std::size_t>(std::count_if(peers_.begin(), peers_.end(), [](const auto& item) {
        return item.second.link || item.second.dial || item.second.dialed;
    }));
}

LinkManager::Peer* LinkManager::idlest() {
    Peer* found = nullptr;
    Time before = clock_.now() - options_.evict_after;
    for (auto& [id, peer] : peers_) {
        if (!peer.link || peer.link->queued() > 0 || peer.link->used_at() > before) continue;
        if (found == nullptr || peer.link->used_at() < found->link->used_at()) found = &peer;
    }
    return found;
}

bool LinkManager::make_room(std::size_t more) {
    while (established() + more > options_.maximum_links) {
        Peer* peer = idlest();
        if (peer == nullptr) return false;
        auto link = std::exchange(peer->link, nullptr);
        NodeId id = link->peer();
        Error why{ErrorCode::unavailable, "idle, and another link needs the room"};
        link->close({wire::GoodbyeReason::idle, why.message});
        add(past_, link->counters());
        events_.on_link_down(id, why);
    }
    return true;
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
        if (established() >= options_.maximum_links && idlest() == nullptr)
            return fail(ErrorCode::exhausted, std::string(no_room));
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
        if (!*alive || dial->cancelled) return;
        if (!make_room(0)) return dial_failed(dial->id, {ErrorCode::exhausted, std::string(no_room)});
        if (!dial->cancelled) resolve_next(dial);
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

wire::Admission LinkManager::admit_link(Link& link) {
    const NodeId& id = link.peer();
    if (id == self_) return wire::refuse(wire::GoodbyeReason::other, ErrorCode::invalid_argument, "a link to oneself");
    if (link.side() == Link::Side::dialed) return {};
    auto found = peers_.find(id);
    if (found != peers_.end()) {
        // Both ends dialled at once: the connection that the lower id dialled is kept. Nothing was sent on the other.
        const Peer& peer = found->second;
        if ((peer.dial || peer.dialed) && self_ < id) return refuse_duplicate();
        // The peer admitted ours before it said hello on it. What it dialled before that it has given up, though the
        // hello that was under way arrives only now.
        if (peer.link && peer.link->side() == Link::Side::dialed && handshakes_.at(&link).accepted < peer.ready_since)
            return refuse_duplicate();
        if (peer.link || peer.dial || peer.dialed) return {};  // takes their place
    }
    if (!make_room(1)) return wire::refuse(wire::GoodbyeReason::no_room, ErrorCode::exhausted, std::string(no_room));
    return {};
}

void LinkManager::on_link_ready(Link& link) {
    const NodeId id = link.peer();
    Peer& peer = peers_[id];
    if (link.side() == Link::Side::accepted) {
        // The peer lost its end of the link that was here.
        if (auto lost = std::exchange(peer.link, nullptr)) {
            lost->abandon();
            add(past_, lost->counters());
            events_.on_link_down(id, {ErrorCode::unavailable, "the peer connected anew"});
        }
        auto accepted = handshakes_.extract(&link);
        if (accepted.empty()) return;  // the event shut this down
        Peer& again = peers_[id];
        if (again.dial) again.dial->cancel();
        if (again.dialed) again.dialed->abandon();
        again.dial.reset();
        again.dialed.reset();
        again.link = std::move(accepted.mapped().link);
    } else {
        peer.link = std::move(peer.dialed);
        peer.dialed.reset();
    }
    Peer& ready = peers_[id];
    ready.ready_since = ++events_counted_;
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
        if (link.peer_goodbye() == wire::GoodbyeReason::duplicate) {
            // The peer's own connection is on its way.
            peer.expecting_until = clock_.now() + options_.handshake_deadline;
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
    for (auto& [raw, handshake] : handshakes_) all.push_back(handshake.link);
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
    accept_timer_.cancel();
    timer_.cancel();
    for (auto& [raw, handshake] : handshakes_) handshake.link->abandon();
    for (auto& [id, peer] : peers_) {
        if (peer.link) peer.link->close({wire::GoodbyeReason::shutting_down});
        if (peer.dialed) peer.dialed->abandon();
        if (peer.dial) peer.dial->cancel();
    }
    handshakes_.clear();
    peers_.clear();
}

std::size_t LinkManager::links() const { return handshakes_.size() + established(); }

LinkCounters LinkManager::counters() const {
    LinkCounters sum = past_;
    for (const auto& [id, peer] : peers_)
        if (peer.link) add(sum, peer.link->counters());
    return sum;
}

}  // namespace planetserve::adapters
