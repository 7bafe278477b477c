#include "roles/model_status.h"

#include <boost/json.hpp>

namespace planetserve::roles {

namespace json = boost::json;

namespace {

json::object load_of(const routing::LoadReport& load) {
    return {{"latency_ms", load.latency_us / 1e3}, {"queued", load.queued},
            {"capacity", load.capacity},           {"factor", load.factor()},
            {"queued_tokens", load.queued_tokens}, {"prefill_tokens_per_second", load.prefill_tokens_per_second}};
}

json::object cache_events_of(const node::ModelGroupStatus& group, const CacheEventsStatus& status) {
    const auto& order = status.events.order;
    const auto& blocks = group.block_events;
    return {{"state", status.events.state},
            {"problem", status.events.problem},
            {"complete", group.blocks_complete},
            {"blocks", group.blocks},
            {"block_tokens", group.block_tokens},
            {"batches", order.delivered},
            {"unreadable", order.unreadable},
            {"unknown_events", status.events.unknown_events},
            {"gaps", order.gaps},
            {"replays", order.replays},
            {"losses", order.losses},
            {"stored", blocks.stored},
            {"removed", blocks.removed},
            {"orphans", blocks.orphans},
            {"not_followed", blocks.others},
            {"overflow", blocks.overflow},
            {"tokenized", status.tokenized},
            {"tokenize_failed", status.tokenize_failed},
            {"compared", group.sync.settled},
            {"unmatched", group.sync.unmatched},
            {"withdrawn", group.sync.withdrawn}};
}

json::object group_of(const node::ModelGroupStatus& group) {
    json::array peers;
    for (const auto& peer : group.peers)
        peers.push_back(json::object{{"id", peer.id.hex()},
                                     {"current", peer.current},
                                     {"same_key", peer.same_key},
                                     {"prefixes", peer.prefixes},
                                     {"load", load_of(peer.load)}});
    return {{"model", group.model},
            {"entered", group.entered},
            {"forwarded", group.forwarded},
            {"run", group.run},
            {"prompt_tokens", group.prompt_tokens},
            {"cached_tokens", group.cached_tokens},
            {"expected_tokens", group.expected_tokens},
            {"own_prefixes", group.own_prefixes},
            {"tree_prefixes", group.tree_prefixes},
            {"array_version", group.array_version},
            {"load", load_of(group.load)},
            {"sync",
             {{"messages_sent", group.sync.messages_sent},
              {"bytes_sent", group.sync.bytes_sent},
              {"bytes_received", group.sync.bytes_received},
              {"refused", group.sync.refused},
              {"corrections", group.sync.corrections}}},
            {"peers", std::move(peers)}};
}

}  // namespace

std::string model_status(const NodeId& id, const std::vector<node::ModelGroupStatus>& groups,
                         const std::vector<CacheEventsStatus>& cache_events, const exchange::ModelSide& server,
                         const committee::DirectoryClient& directory) {
    json::array models;
    for (const auto& group : groups) {
        json::object model = group_of(group);
        for (const CacheEventsStatus& status : cache_events)
            if (status.model == group.model) model["cache_events"] = cache_events_of(group, status);
        models.push_back(std::move(model));
    }
    const auto& counters = server.counters();
    return json::serialize(json::object{{"id", id.hex()},
                                        {"role", "model"},
                                        {"registered", directory.registered()},
                                        {"problem", directory.problem()},
                                        {"last_failure", directory.last_failure()},
                                        {"models", std::move(models)},
                                        {"exchanges",
                                         {{"open", server.exchanges()},
                                          {"requests", counters.requests},
                                          {"joined", counters.joined},
                                          {"cancelled", counters.cancelled},
                                          {"refused", counters.refused},
                                          {"forwarded", counters.forwarded},
                                          {"forward_failed", counters.forward_failed},
                                          {"taken_over", counters.taken_over}}}});
}

}  // namespace planetserve::roles
