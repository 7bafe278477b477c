#include "adapters/links/link_manager.h"

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
constexpr std::string_view no_room = "as many links as this node may have";

void add(LinkCounters& to, const LinkCounters& more) {
    to.frames_in += more.frames_in;
    to.frames_out += more.frames_out;
    to.bytes_in += more.bytes_in;
    to.bytes_out += more.bytes_out;
    to.frames_skipped += more.frames_skipped;
}

auto refuse_duplicate() {
    return wire::refuse(wire::GoodbyeReason::duplicate, ErrorCode::already_exists,
                        "a link in the other direction is preferred");
}

}  // namespace

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
      listener_(context, [this](tcp::socket socket) { take_connection(std::move(socket)); }),
      flush_queue_(context),
      timer_(context),
      places_(options_) {
    std::size_t wanted = options_.maximum_links + options_.maximum_handshakes + other_descriptors;
    options_.maximum_links =
        std::min(options_.maximum_links, links_within(raise_descriptor_limit(wanted), options_.maximum_handshakes));
    // Asio writes to sockets with MSG_NOSIGNAL, and OpenSSL writes to none. The signal would come from the process's
    // pipes only; there a reader that is gone shows as an error of the write.
    std::signal(SIGPIPE, SIG_IGN);
    arm_timer();
}

LinkManager::~LinkManager() { shut_down(); }

Result<Endpoint> LinkManager::listen(const Endpoint& endpoint) { return listener_.listen(endpoint); }

void LinkManager::take_connection(tcp::socket socket) {
    error_code error;
    auto remote = socket.remote_endpoint(error);
    if (error || handshakes_.size() >= options_.maximum_handshakes) return;
    auto group = AddressPlaces::group_of(remote.address());
    auto same = std::count_if(handshakes_.begin(), handshakes_.end(),
                              [&](const auto& item) { return item.second.group == group; });
    if (static_cast<std::size_t>(same) >= options_.maximum_handshakes_per_address) return;
    auto place = places_.take(group, clock_.now());
    if (!place) return;
    auto link = std::make_shared<Link>(std::move(socket), ssl_context_.get(), Link::Side::accepted, std::nullopt,
                                       hello_, options_, static_cast<LinkOwner&>(*this));
    handshakes_.emplace(link.get(), Handshake{link, group, std::move(place), ++events_counted_});
    link->start(clock_.now());
}

std::size_t LinkManager::established() const {
    return static_cast<std::size_t>(
        std::count_if(peers_.begin(), peers_.end(), [](const auto& item) { return item.second.has_connection(); }));
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
        auto link = peer->take_link();
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
    if (!peer.is_connecting()) {
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
    return {};
}

std::size_t LinkManager::queued_bytes(const NodeId& to) const {
    auto peer = peers_.find(to);
    if (peer == peers_.end()) return 0;
    return peer->second.link ? peer->second.link->queued() : peer->second.waiting.size();
}

void LinkManager::dial(const NodeId& id, Peer& peer, std::vector<Endpoint> endpoints) {
    peer.dial = std::make_shared<Dial>(context_, id, std::move(endpoints), clock_.now() + options_.dial_deadline,
                                       [this, owner = lifetime_.watch(), id](Result<tcp::socket> socket) {
                                           if (!owner.gone()) on_dialed(id, std::move(socket));
                                       });
    // send must not call events, so even the first step is posted.
    asio::post(context_, [this, owner = lifetime_.watch(), dial = peer.dial] {
        if (owner.gone() || dial->cancelled()) return;
        if (!make_room(0)) return dial_failed(dial->id(), {ErrorCode::exhausted, std::string(no_room)});
        if (!dial->cancelled()) dial->start();
    });
}

void LinkManager::on_dialed(const NodeId& id, Result<tcp::socket> socket) {
    if (!socket) return dial_failed(id, socket.error());
    Peer& peer = peers_.at(id);  // its dial would be cancelled otherwise
    peer.dial.reset();
    peer.dialed = std::make_shared<Link>(std::move(*socket), ssl_context_.get(), Link::Side::dialed, id, hello_,
                                         options_, static_cast<LinkOwner&>(*this));
    auto link = peer.dialed;
    link->start(clock_.now());
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
        // The peer accepted our connection, so it has dropped its own that it dialled before; the hello on that one was
        // under way and arrives only now.
        if (peer.link && peer.link->side() == Link::Side::dialed && handshakes_.at(&link).accepted < peer.ready_since)
            return refuse_duplicate();
        if (peer.link || peer.dial || peer.dialed) return {};  // takes their place
    }
    if (!make_room(1)) return wire::refuse(wire::GoodbyeReason::no_room, ErrorCode::exhausted, std::string(no_room));
    return {};
}

void LinkManager::on_link_ready(Link& link) {
    const NodeId id = link.peer();
    if (!adopt(link)) return;
    Peer& peer = peers_[id];
    peer.ready_since = ++events_counted_;
    peer.backoff = {};
    peer.not_before = {};
    peer.expecting_until.reset();
    send_waiting(peer);
    events_.on_link_up(id, link.peer_hello());
}

bool LinkManager::adopt(Link& link) {
    const NodeId id = link.peer();
    Peer& peer = peers_[id];
    if (link.side() == Link::Side::dialed) {
        peer.link = std::move(peer.dialed);
        peer.dialed.reset();
        return true;
    }
    // The peer lost its end of the link that was here.
    if (auto lost = peer.take_link()) {
        lost->abandon();
        add(past_, lost->counters());
        events_.on_link_down(id, {ErrorCode::unavailable, "the peer connected anew"});
    }
    auto accepted = handshakes_.extract(&link);
    if (accepted.empty()) return false;
    Peer& after = peers_[id];  // the event may have changed the table
    if (after.dial) after.dial->cancel();
    if (after.dialed) after.dialed->abandon();
    after.dial.reset();
    after.dialed.reset();
    after.link = std::move(accepted.mapped().link);
    after.place = std::move(accepted.mapped().place);
    return true;
}

void LinkManager::send_waiting(Peer& peer) {
    const Bytes waiting = std::exchange(peer.waiting, Bytes{});
    for (std::size_t at = 0; at < waiting.size();) {
        ByteView frame = ByteView(waiting).subspan(at);
        auto header = wire::parse_frame_header(frame);
        peer.link->write(header->type, {frame.subspan(wire::frame_header_size, header->payload_size)});
        at += wire::frame_header_size + header->payload_size;
    }
}

void LinkManager::on_link_frame(Link& link, wire::FrameType type, MutableByteView payload) {
    flush_queue_.on_reading();
    events_.on_frame(link.peer(), type, payload);
}

// Each reading comes here, so the sum is kept and not made anew: a peer that sends a large frame byte by byte must not
// cost a walk over all links for each of them.
void LinkManager::on_link_holds(std::size_t before, std::size_t after) {
    incomplete_ += after - before;
    if (after > before && incomplete_ > options_.maximum_incomplete) end_oldest_frame();
}

// It has had most time for its frame.
void LinkManager::end_oldest_frame() {
    std::shared_ptr<Link> oldest;
    for (const auto& [id, peer] : peers_) {
        if (!peer.link || peer.link->incomplete() == 0) continue;
        if (!oldest || peer.link->incomplete_since() < oldest->incomplete_since() ||
            (peer.link->incomplete_since() == oldest->incomplete_since() &&
             peer.link->incomplete() > oldest->incomplete()))
            oldest = peer.link;
    }
    if (oldest)
        oldest->fail({ErrorCode::exhausted, "too much is held of incomplete frames, of which this is the oldest"});
}

void LinkManager::on_link_drained(Link& link) { events_.on_drained(link.peer()); }

void LinkManager::on_link_closed(Link& link, const Error& why) {
    add(past_, link.counters());
    if (handshakes_.erase(&link) > 0) return;
    for (auto& [id, peer] : peers_) {
        if (peer.link.get() == &link) {
            NodeId lost = id;
            peer.take_link();
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
    const Duration most = favoured_.contains(id) ? options_.favoured_backoff_most : options_.backoff_most;
    peer.backoff = peer.backoff == Duration{} ? options_.backoff_first : std::min(peer.backoff * 2, most);
    auto jitter = static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(peer.backoff.count() / 2) + 1));
    peer.not_before = clock_.now() + peer.backoff / 2 + Duration(jitter);
    events_.on_link_down(NodeId(id), why);
}

void LinkManager::arm_timer() {
    timer_.expires_after(timer_interval);
    timer_.async_wait([this, owner = lifetime_.watch()](error_code error) {
        if (error || owner.gone() || stopped_) return;
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
        if ((peer.dial && now >= peer.dial->deadline()) || (peer.expecting_until && now >= *peer.expecting_until))
            late.push_back(id);
    }
    for (auto& link : all) link->on_timer(now);
    for (const NodeId& id : late)
        dial_failed(id, {ErrorCode::timed_out, "node " + id.brief() + " did not answer in time"});
    places_.forget_idle(now);
    std::erase_if(peers_, [&](const auto& item) {
        const Peer& peer = item.second;
        return !peer.link && !peer.is_connecting() && now >= peer.not_before + options_.backoff_most;
    });
}

void LinkManager::shut_down() {
    if (std::exchange(stopped_, true)) return;
    listener_.stop();
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
