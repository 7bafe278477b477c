#include "node/model_choice.h"

#include <algorithm>
#include <boost/json.hpp>

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
        if (std::ranges::find(node.models, model) == node.models.end()) continue;
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

const ModelNodeInfo* choose_model_node(const DirectoryView& view, const std::string& model,
                                       const std::set<NodeId>& excluded, const std::map<NodeId, std::uint32_t>& own,
                                       const std::optional<NodeId>& preferred, Random& random) {
    const ModelNodeInfo* best = nullptr;
    double best_load = 0;
    std::uint64_t equals = 0;
    for (const ModelNodeInfo& node : view.models) {
        if (!node.trusted || excluded.contains(node.id) ||
            std::find(node.models.begin(), node.models.end(), model) == node.models.end())
            continue;
        if (preferred == node.id) return &node;
        auto mine = own.find(node.id);
        double under_way = node.running + node.queued + (mine == own.end() ? 0.0 : mine->second);
        double load = under_way / std::max<std::uint32_t>(node.capacity, 1);
        if (best != nullptr && load > best_load) continue;
        equals = best != nullptr && load == best_load ? equals + 1 : 1;
        if (equals == 1 || random.below(equals) == 0) best = &node;
        best_load = load;
    }
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

std::optional<NodeId> Conversations::find(const std::vector<crypto::Digest>& prefixes) const {
    for (std::size_t i = prefixes.size(); i-- > 0;) {
        auto known = nodes_.find(prefixes[i]);
        if (known != nodes_.end()) return known->second.node;
    }
    return std::nullopt;
}

}  // namespace planetserve::node
