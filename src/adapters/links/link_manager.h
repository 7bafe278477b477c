// All links of a node: one connection to each peer, made when first needed, kept while used (docs/protocols/links.md).
//
// Everything happens on the thread that runs the io_context. send never calls an event.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <set>
#include <unordered_map>

#include "adapters/links/address_places.h"
#include "adapters/links/dial.h"
#include "adapters/links/flush_queue.h"
#include "adapters/links/link.h"
#include "adapters/links/listener.h"
#include "base/endpoint.h"
#include "base/lifetime.h"
#include "base/random.h"

namespace planetserve::adapters {

class LinkEvents {
public:
    virtual ~LinkEvents() = default;
    virtual void on_link_up(const NodeId& peer, const wire::Hello& hello) = 0;
    // Also when dialling fails. The frames that were queued are lost.
    virtual void on_link_down(const NodeId& peer, const Error& why) = 0;
    // The payload may be changed in place. It is valid during the call.
    virtual void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) = 0;
    // The peer's queue, which was above the high-water mark, has room.
    virtual void on_drained(const NodeId& peer) = 0;
};

class LinkManager final : public wire::FrameSender, private LinkOwner {
public:
    using Resolver = std::function<std::vector<Endpoint>(const NodeId&)>;

    // The identity's node speaks with this hello. The resolver gives the addresses of a node, none when it knows none.
    // Raises the process's limit of open files as far as the links need and the system allows; makes fewer links where
    // the system does not allow it.
    LinkManager(boost::asio::io_context& context, const crypto::Identity& identity, wire::Hello hello,
                LinkOptions options, LinkEvents& events, Resolver resolver, Random& random, const Clock& clock);
    ~LinkManager() override;

    // Accepts links; returns the address with the real port where 0 was asked.
    Result<Endpoint> listen(const Endpoint& endpoint);
    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override;
    std::size_t queued_bytes(const NodeId& to) const override;
    // A peer that is dialled again sooner after a failure: one without which the node can do nothing.
    void favour(const NodeId& peer) { favoured_.insert(peer); }
    // Says goodbye to all and stops.
    void shut_down();

    std::size_t links() const;
    // Sums over all links there were.
    LinkCounters counters() const;

private:
    // An accepted connection that is not yet ready.
    struct Handshake {
        std::shared_ptr<Link> link;
        AddressPlaces::Address group;  // of which only so many are taken
        AddressPlaces::Place place;
        std::uint64_t accepted = 0;  // a count of events, as Peer::ready_since
    };
    struct Peer {
        std::shared_ptr<Link> link;  // ready
        AddressPlaces::Place place;  // of the link, where it was accepted
        std::uint64_t ready_since = 0;
        std::shared_ptr<Dial> dial;    // under way
        std::shared_ptr<Link> dialed;  // connected, not yet ready
        Bytes waiting;                 // frames for when the link is ready
        Duration backoff{};
        Time not_before{};
        // Until then the peer's own connection is expected: it said that ours is a duplicate.
        std::optional<Time> expecting_until;

        bool is_connecting() const { return dial || dialed || expecting_until; }
        bool has_connection() const { return link || dial || dialed; }
        std::shared_ptr<Link> take_link() {
            place.reset();
            return std::exchange(link, nullptr);
        }
    };

    wire::Admission admit_link(Link& link) override;
    void on_link_ready(Link& link) override;
    void on_link_frame(Link& link, wire::FrameType type, MutableByteView payload) override;
    void on_link_drained(Link& link) override;
    void on_link_closed(Link& link, const Error& why) override;
    void request_flush(Link& link) override { flush_queue_.add(link.shared_from_this()); }
    void on_link_read() override { flush_queue_.flush(); }
    void on_link_holds(std::size_t before, std::size_t after) override;

    void take_connection(boost::asio::ip::tcp::socket socket);
    // Links, with those being dialled; without accepted handshakes.
    std::size_t established() const;
    // Of the links that may be closed for another, the one not used for longest; null when there is none.
    Peer* idlest();
    // Closes links until there is room for this many more; false when that is not possible. Calls events.
    bool make_room(std::size_t more);
    void dial(const NodeId& id, Peer& peer, std::vector<Endpoint> endpoints);
    void on_dialed(const NodeId& id, Result<boost::asio::ip::tcp::socket> socket);
    // Ends the link whose incomplete frame is the oldest.
    void end_oldest_frame();
    // Makes the link the peer's, in place of any other connection there is. False when an event shut the manager down.
    bool adopt(Link& link);
    void send_waiting(Peer& peer);
    void dial_failed(const NodeId& id, const Error& why);
    void give_up(const NodeId& id, Peer& peer, const Error& why);
    void on_timer();
    void arm_timer();

    boost::asio::io_context& context_;
    NodeId self_;
    SslContext ssl_context_;
    wire::Hello hello_;
    LinkOptions options_;
    LinkEvents& events_;
    Resolver resolver_;
    Random& random_;
    const Clock& clock_;
    Listener listener_;
    FlushQueue flush_queue_;
    boost::asio::steady_timer timer_;
    AddressPlaces places_;
    std::unordered_map<NodeId, Peer, IdHash> peers_;
    std::set<NodeId> favoured_;
    std::unordered_map<Link*, Handshake> handshakes_;  // accepted, not yet ready
    std::uint64_t events_counted_ = 0;
    std::size_t incomplete_ = 0;  // bytes that all connections hold of incomplete frames
    LinkCounters past_;
    bool stopped_ = false;
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
