#include "adapters/llama/suspects.h"

namespace planetserve::adapters {

Suspects::Digest Suspects::digest_of(const inference::Request& request) {
    const crypto::Digest body = request.asked ? *request.asked : crypto::sha256(request.body);
    return crypto::sha256({crypto::sha256(as_bytes(request.path)), body});
}

void Suspects::on_end(std::span<const Digest> had, EngineEnd end, Time now) {
    if (end == EngineEnd::ordered) return;
    const bool guilty = end == EngineEnd::crashed && had.size() == 1;
    for (const Digest& request : had) {
        Suspicion& suspicion = suspicions_[request];
        suspicion.ends += guilty ? ends_to_refuse : 1;
        suspicion.at = now;
        oldest_first_.emplace_back(now, request);
    }
    forget_old(now);
}

bool Suspects::refuses(const Digest& request, Time now) {
    forget_old(now);
    auto found = suspicions_.find(request);
    return found != suspicions_.end() && found->second.ends >= ends_to_refuse;
}

void Suspects::forget_old(Time now) {
    while (!oldest_first_.empty() &&
           (oldest_first_.size() > limits_.maximum || now - oldest_first_.front().first >= limits_.remembered_for)) {
        auto [at, request] = oldest_first_.front();
        oldest_first_.pop_front();
        auto found = suspicions_.find(request);
        // It may have been there at a later end too.
        if (found != suspicions_.end() && found->second.at == at) suspicions_.erase(found);
    }
}

}  // namespace planetserve::adapters
