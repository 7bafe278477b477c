// Which model node a request goes to: the one that served the conversation so far, else the least loaded that serves
// the model. Pure.
#pragma once

#include <list>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "crypto/hash.h"
#include "node/directory_view.h"

namespace planetserve::node {

// Picks among the nodes that serve the model and are not excluded: the preferred one when it is among them, else the
// lowest (running + queued + own) / capacity, at random among equals. `own` counts this user's requests under way at
// each node, which the directory does not know of yet. Null when no node qualifies.
const ModelNodeInfo* choose_model_node(const DirectoryView& view, const std::string& model,
                                       const std::set<NodeId>& excluded, const std::map<NodeId, std::uint32_t>& own,
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
