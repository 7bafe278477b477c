// Idempotency ids of HTTP requests: the same for a retry, fresh for anything else (docs/api.md). Pure.
#pragma once

#include <list>
#include <map>
#include <string>

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"
#include "crypto/hash.h"

namespace planetserve::adapters {

struct RequestMarks {
    std::string path;
    std::string authorization;
    std::string api_key;          // the header x-api-key
    std::string idempotency_key;  // the header; may be empty
    bool is_retry = false;        // an official client's x-stainless-retry-count above 0
};

class RequestIds {
public:
    // The key is the node's own and secret. Without it two users who send the same Idempotency-Key and body would have
    // one id, and get each other's answers; and whoever guesses both would know the id.
    explicit RequestIds(Bytes key, std::size_t maximum = 4096, Duration lifetime = 10min)
        : key_(std::move(key)), maximum_(maximum), lifetime_(lifetime) {}

    // With an Idempotency-Key the id follows from it, the path, the client's keys and the body. A retry by an official
    // client gets the id of the last request that was the same to the byte. Anything else gets a random one.
    IdempotencyId id_for(const RequestMarks& marks, ByteView body, Time now, Random& random);

private:
    struct Known {
        IdempotencyId id;
        Time at;
        std::list<crypto::Digest>::iterator age;
    };

    Bytes key_;
    std::size_t maximum_;
    Duration lifetime_;
    std::list<crypto::Digest> oldest_first_;
    std::map<crypto::Digest, Known> known_;
};

}  // namespace planetserve::adapters
