// The head of a client's request, as far as the reply depends on it.
#pragma once

#include <string>

#include "base/time.h"

namespace planetserve::adapters {

// What becomes of a connection after a reply.
enum class ConnectionAfter { kept, closed };

struct ClientRequest {
    enum class Version { http_10, http_11 };
    enum class Method { head, options, other };
    enum class IdFrom { client, node };

    std::string path{};   // without the query; empty when the head was not read
    std::string query{};  // from its "?" on, or empty
    std::string id{};     // x-request-id
    IdFrom id_from = IdFrom::node;
    Version version = Version::http_11;
    Method method = Method::other;
    ConnectionAfter connection = ConnectionAfter::kept;
    std::string allowed_origin{};  // of a web page that may read the reply; else empty
    std::string asked_headers{};   // those that a browser wants to send for that page
    Time began{};                  // its first byte, then its last
};

}  // namespace planetserve::adapters
