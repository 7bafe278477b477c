#include "roles/own_address.h"

#include <algorithm>
#include <stdexcept>

#include "base/time.h"

namespace planetserve::roles {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// A line at home gets another address now and then.
constexpr Duration refresh = 5min;
constexpr std::size_t most_addresses = 4;  // of a descriptor

std::vector<Endpoint> endpoints_of(const tcp::resolver::results_type& results) {
    std::vector<Endpoint> endpoints;
    for (const auto& result : results) {
        Endpoint endpoint{result.endpoint().address().to_string(), result.endpoint().port()};
        if (endpoint.has_ip_address()) endpoints.push_back(std::move(endpoint));
    }
    std::ranges::sort(endpoints);
    auto twice = std::ranges::unique(endpoints);
    endpoints.erase(twice.begin(), twice.end());
    endpoints.resize(std::min(endpoints.size(), most_addresses));
    return endpoints;
}

}  // namespace

OwnAddress::OwnAddress(boost::asio::io_context& context, Endpoint advertised, OnChange on_change)
    : advertised_(std::move(advertised)), on_change_(std::move(on_change)), resolver_(context), timer_(context) {
    if (advertised_.has_ip_address()) {
        addresses_ = {advertised_};
        return;
    }
    error_code error;
    addresses_ = endpoints_of(resolver_.resolve(advertised_.host, std::to_string(advertised_.port), error));
    if (addresses_.empty())
        throw std::runtime_error("advertise: " + advertised_.host +
                                 " has no address: " + (error ? error.message() : "none that others can reach"));
    refresh_later();
}

void OwnAddress::refresh_later() {
    timer_.expires_after(refresh);
    timer_.async_wait([this, owner = lifetime_.watch()](error_code cancelled) {
        if (cancelled || owner.gone()) return;
        resolver_.async_resolve(advertised_.host, std::to_string(advertised_.port),
                                [this, owner](error_code error, const Results& results) {
                                    if (owner.gone()) return;
                                    if (!error) take(results);
                                    refresh_later();
                                });
    });
}

void OwnAddress::take(const Results& results) {
    auto fresh = endpoints_of(results);
    if (fresh.empty() || fresh == addresses_) return;
    addresses_ = std::move(fresh);
    on_change_();
}

}  // namespace planetserve::roles
