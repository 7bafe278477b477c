// What each address may have of a node's accepted connections, and how often it may begin one: identities are free,
// addresses are not (docs/protocols/links.md). Not thread-safe.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <map>
#include <memory>
#include <optional>

#include "adapters/links/link_options.h"
#include "base/token_bucket.h"

namespace planetserve::adapters {

class AddressPlaces {
public:
    using Address = boost::asio::ip::address;
    struct Leave {
        void operator()(std::size_t* connections) const { --*connections; }
    };
    // Of one connection; free again once it is destroyed. The table outlives it.
    using Place = std::unique_ptr<std::size_t, Leave>;

    // The options outlive the table.
    explicit AddressPlaces(const LinkOptions& options) : options_(options) {}

    // An IPv4 address, or the /64 of an IPv6 address: the holder of an IPv6 network has all of its addresses.
    static Address group_of(const Address& address);

    // For one more connection of the group; null where it has as many as it may, or begins them too often.
    Place take(const Address& group, Time now);
    // Forgets groups that are as if never seen. To be called every second or so: as many are remembered as began a
    // connection lately or have one.
    void forget_idle(Time now);
    std::size_t size() const { return groups_.size(); }

private:
    struct Group {
        std::size_t connections = 0;
        TokenBucket handshakes;
    };

    const LinkOptions& options_;
    std::map<Address, Group> groups_;
};

}  // namespace planetserve::adapters
