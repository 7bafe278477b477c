#include "adapters/links/address_places.h"

#include <algorithm>

namespace planetserve::adapters {

namespace ip = boost::asio::ip;

AddressPlaces::Address AddressPlaces::group_of(const Address& address) {
    if (address.is_v4()) return address;
    if (address.to_v6().is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    auto bytes = address.to_v6().to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return ip::address_v6(bytes);
}

AddressPlaces::Place AddressPlaces::take(const Address& group, Time now) {
    Group& known = groups_[group];
    if (known.connections >= options_.maximum_links_per_address) return nullptr;
    if (!known.handshakes.take(options_.handshakes_of_address, now)) return nullptr;
    ++known.connections;
    return Place(&known.connections);
}

void AddressPlaces::forget_idle(Time now) {
    std::erase_if(groups_, [&](const auto& item) {
        return item.second.connections == 0 && item.second.handshakes.full(options_.handshakes_of_address, now);
    });
}

}  // namespace planetserve::adapters
