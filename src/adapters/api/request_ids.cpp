#include "adapters/api/request_ids.h"

namespace planetserve::adapters {

IdempotencyId RequestIds::id_for(const RequestMarks& marks, ByteView body, Time now, Random& random) {
    Bytes prefix;
    ByteWriter writer(prefix);
    for (const std::string* part : {&marks.path, &marks.authorization, &marks.api_key, &marks.idempotency_key}) {
        writer.u32(static_cast<std::uint32_t>(part->size()));
        writer.bytes(as_bytes(*part));
    }
    crypto::Digest digest = crypto::hmac_sha256(key_, {prefix, body});
    if (!marks.idempotency_key.empty()) return IdempotencyId::from(ByteView(digest).first(IdempotencyId::size)).value();

    auto known = known_.find(digest);
    if (known != known_.end() && marks.is_retry && now - known->second.at < lifetime_) return known->second.id;
    if (known != known_.end()) {
        oldest_first_.erase(known->second.age);
        known_.erase(known);
    } else if (known_.size() >= maximum_) {
        known_.erase(oldest_first_.front());
        oldest_first_.pop_front();
    }
    auto id = random.id<IdempotencyId>();
    known_.emplace(digest, Known{id, now, oldest_first_.insert(oldest_first_.end(), digest)});
    return id;
}

}  // namespace planetserve::adapters
