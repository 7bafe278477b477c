#include "node/model_choice.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

namespace planetserve::node {

std::vector<std::string> model_names(const DirectoryView& view) {
    std::set<std::string> names;
    for (const ModelNodeInfo& node : view.models)
        if (node.trusted) names.insert(node.models.begin(), node.models.end());
    return {names.begin(), names.end()};
}

Status is_served(const DirectoryView& view, const std::string& model) {
    bool by_others = false;
    for (const ModelNodeInfo& node : view.models) {
        if (!serves(node, model)) continue;
        if (node.trusted) return {};
        by_others = true;
    }
    if (by_others)
        return fail(ErrorCode::unavailable, "no node that serves '" + model +
                                                "' is trusted at present: they answered the network's own questions "
                                                "wrongly or not at all; try again later, or another model");
    std::string known;
    for (const std::string& name : model_names(view)) known += (known.empty() ? "" : ", ") + name;
    return fail(ErrorCode::not_found, "no model '" + model + "' is served; there are: " + known);
}

namespace {

constexpr ClaimLimits claims;

double claimed_load(const ModelNodeInfo& node) {
    // Sums of claims may not fit 32 bits.
    const std::uint64_t waiting = std::uint64_t{node.running} + node.queued;
    return static_cast<double>(std::min<std::uint64_t>(waiting, claims.waiting)) /
           std::clamp<std::uint32_t>(node.capacity, 1, claims.capacity);
}

std::uint32_t under_way(const NodeId& node, const Measured& measured) {
    auto found = measured.under_way.find(node);
    return found == measured.under_way.end() ? 0 : found->second;
}

// Of a request at the node, in seconds: as measured, or as assumed where one of the two compared was not measured.
double expected_time(const Server& server, std::optional<Duration> usual, const Measured& measured) {
    const double share = 1 + under_way(server.node, measured) / claims.usual_capacity;
    return to_seconds(usual.value_or(Duration{1s})) * share +
           to_seconds(measured.experience.expected_loss(server, measured.now));
}

bool is_better(const ModelNodeInfo& one, const ModelNodeInfo& other, const std::string& model,
               const Measured& measured) {
    const Server one_server{one.id, model}, other_server{other.id, model};
    auto one_usual = measured.experience.usual_time(one_server, measured.now);
    auto other_usual = measured.experience.usual_time(other_server, measured.now);
    if (!one_usual || !other_usual) one_usual = other_usual = std::nullopt;
    const double first = expected_time(one_server, one_usual, measured);
    const double second = expected_time(other_server, other_usual, measured);
    const double equal = std::max(claims.equal_within * std::min(first, second), to_seconds(claims.equal_below));
    if (std::abs(first - second) > equal) return first < second;
    return claimed_load(one) < claimed_load(other);
}

}  // namespace

const ModelNodeInfo* choose_model_node(const DirectoryView& view, const std::string& model,
                                       const std::set<NodeId>& excluded, const Measured& measured,
                                       const std::optional<NodeId>& preferred, Random& random) {
    std::vector<const ModelNodeInfo*> eligible;
    for (const ModelNodeInfo& node : view.models) {
        if (!node.trusted || excluded.contains(node.id) || !serves(node, model)) continue;
        if (preferred == node.id) return &node;
        eligible.push_back(&node);
    }
    if (eligible.empty()) return nullptr;
    // The order decides between equals.
    for (std::size_t i = 0; i + 1 < eligible.size(); ++i)
        std::swap(eligible[i], eligible[i + random.below(eligible.size() - i)]);
    if (excluded.empty() && eligible.size() > 2) eligible.resize(2);
    const ModelNodeInfo* best = eligible.front();
    for (const ModelNodeInfo* node : eligible)
        if (is_better(*node, *best, model, measured)) best = node;
    return best;
}

std::vector<crypto::Digest> Conversations::prefixes(ByteView body) {
    boost::system::error_code error;
    boost::json::parse_options options;
    options.max_depth = 64;
    auto json = boost::json::parse(boost::json::string_view(reinterpret_cast<const char*>(body.data()), body.size()),
                                   error, {}, options);
    if (error || !json.is_object()) return {};
    const auto& object = json.as_object();
    const auto* messages = object.if_contains("messages");
    if (messages == nullptr) messages = object.if_contains("input");
    if (messages == nullptr || !messages->is_array()) return {};
    // What else the model is told belongs to the conversation too.
    crypto::Digest digest = crypto::sha256(as_bytes("planetserve conversation v1"));
    for (const char* name : {"model", "system", "instructions"}) {
        const auto* value = object.if_contains(name);
        std::string text = value == nullptr ? "" : boost::json::serialize(*value);
        digest = crypto::sha256({digest, as_bytes(text)});
    }
    std::vector<crypto::Digest> digests;
    for (const auto& message : messages->as_array()) {
        digest = crypto::sha256({digest, as_bytes(boost::json::serialize(message))});
        digests.push_back(digest);
    }
    return digests;
}

void Conversations::served(const std::vector<crypto::Digest>& prefixes, const NodeId& node) {
    if (prefixes.empty()) return;
    auto known = nodes_.find(prefixes.back());
    if (known != nodes_.end()) {
        known->second.node = node;
        oldest_first_.splice(oldest_first_.end(), oldest_first_, known->second.age);
        return;
    }
    if (nodes_.size() >= maximum_) {
        nodes_.erase(oldest_first_.front());
        oldest_first_.pop_front();
    }
    auto age = oldest_first_.insert(oldest_first_.end(), prefixes.back());
    nodes_.emplace(prefixes.back(), Known{node, age});
}

void Conversations::forget(const std::vector<crypto::Digest>& prefixes, const NodeId& node) {
    for (const crypto::Digest& prefix : prefixes) {
        auto known = nodes_.find(prefix);
        if (known == nodes_.end() || known->second.node != node) continue;
        oldest_first_.erase(known->second.age);
        nodes_.erase(known);
    }
}

std::optional<NodeId> Conversations::find(const std::vector<crypto::Digest>& prefixes) const {
    for (std::size_t i = prefixes.size(); i-- > 0;) {
        auto known = nodes_.find(prefixes[i]);
        if (known != nodes_.end()) return known->second.node;
    }
    return std::nullopt;
}

}  // namespace planetserve::node
