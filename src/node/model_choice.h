// Which model node a request goes to: the one that served the conversation so far, else the better of two that are
// drawn, by what this user measured of them. Pure.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "crypto/hash.h"
#include "node/directory_view.h"
#include "node/experience.h"

namespace planetserve::node {

// What a node claims of itself only breaks ties, and only within these bounds: claims cost nothing.
struct ClaimLimits {
    std::uint32_t capacity = 64;    // requests at once
    std::uint32_t waiting = 1'000;  // running and queued
    // Nodes whose expected times differ by less than this share are equal.
    double equal_within = 0.25;
    // Nor do differences matter that are shorter than a path's own noise.
    Duration equal_below = 200ms;
    // Requests that a node is taken to serve at once, as far as this user's own count.
    double usual_capacity = 4;
};

// What this user knows of model nodes by itself.
struct Measured {
    const Experience& experience;
    // This user's requests under way at each node, which the directory does not know of yet.
    const std::map<NodeId, std::uint32_t>& under_way;
    Time now{};
};

// Picks among the trusted nodes that serve the model and are not excluded: the preferred one when it is among them.
// Else two are drawn and the better is taken, so that no claim and no single good answer draws all requests to one
// node. After a failure (where any is excluded) it is the best of all: one that this user has seen to deliver. Null
// when no node qualifies.
const ModelNodeInfo* choose_model_node(const DirectoryView& view, const std::string& model,
                                       const std::set<NodeId>& excluded, const Measured& measured,
                                       const std::optional<NodeId>& preferred, Random& random);

// Remembers which node served a conversation. A request continues a conversation when its messages begin with all
// messages of an earlier request. Only digests are kept, of the last 4,096.
class Conversations {
public:
    explicit Conversations(std::size_t maximum = 4096) : maximum_(maximum) {}

    // Digests of the growing prefixes of the request's messages (chat completions and messages: "messages"; responses:
    // "input" when it is a list). Empty for any other body.
    static std::vector<crypto::Digest> prefixes(ByteView body);

    void served(const std::vector<crypto::Digest>& prefixes, const NodeId& node);
    // The node failed a request of the conversation, which it is not preferred for any more.
    void forget(const std::vector<crypto::Digest>& prefixes, const NodeId& node);
    std::optional<NodeId> find(const std::vector<crypto::Digest>& prefixes) const;
    std::size_t size() const { return nodes_.size(); }

private:
    struct Known {
        NodeId node;
        std::list<crypto::Digest>::iterator age;
    };

    std::size_t maximum_;
    std::list<crypto::Digest> oldest_first_;
    std::map<crypto::Digest, Known> nodes_;
};

}  // namespace planetserve::node
