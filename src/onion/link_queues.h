// Cells that wait for a link with much to send: a queue for each path and link, served in turn.
//
// A link has one queue of its own, first come, first served. A relay fills that queue only up to a mark and keeps what
// is beyond it here, so a path that floods a slow link delays itself and nobody else. Pure, not thread-safe.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/requires.h"
#include "onion/most.h"

namespace planetserve::onion {

// The key names the path and the direction; all its cells go to one neighbour.
template <typename Key>
class LinkQueues {
public:
    void push(const NodeId& to, const Key& key, ByteView cell) {
        auto [found, is_new] = queues_.try_emplace(key, Queue{to, {}});
        REQUIRES(found->second.to == to);
        if (is_new) turns_[to].push_back(key);
        auto& cells = found->second.cells;
        cells.push_back(to_bytes(cell));
        ++cells_;
        longest_.change(key, cells.size() - 1, cells.size());
    }

    bool waits(const Key& key) const { return queues_.contains(key); }
    std::size_t cells(const Key& key) const {
        auto found = queues_.find(key);
        return found == queues_.end() ? 0 : found->second.cells.size();
    }
    std::size_t cells() const { return cells_; }
    // The key with most cells. Requires: cells() > 0.
    const Key& longest() const { return longest_.key(); }

    void drop(const Key& key) {
        auto found = queues_.find(key);
        if (found == queues_.end()) return;
        auto turns = turns_.find(found->second.to);
        std::erase(turns->second, key);
        if (turns->second.empty()) turns_.erase(turns);
        forget(found);
    }

    // One cell of each key in turn, while the link takes more. `room()` says whether it does; `send(key, cell)` returns
    // false where the cell could not be sent. Returns the keys of which that is true; their cells are dropped.
    template <typename Room, typename Send>
    std::deque<Key> drain(const NodeId& to, Room&& room, Send&& send) {
        std::deque<Key> failed;
        auto turns = turns_.find(to);
        if (turns == turns_.end()) return failed;
        auto& waiting = turns->second;
        while (!waiting.empty() && room()) {
            const Key key = waiting.front();
            waiting.pop_front();
            auto queue = queues_.find(key);
            auto& cells = queue->second.cells;
            if (!send(key, MutableByteView(cells.front()))) {
                failed.push_back(key);
                forget(queue);
                continue;
            }
            longest_.change(key, cells.size(), cells.size() - 1);
            cells.pop_front();
            --cells_;
            if (cells.empty())
                queues_.erase(queue);
            else
                waiting.push_back(key);
        }
        if (waiting.empty()) turns_.erase(turns);
        return failed;
    }

private:
    struct Queue {
        NodeId to;
        std::deque<Bytes> cells;
    };

    void forget(typename std::map<Key, Queue>::iterator queue) {
        const std::size_t cells = queue->second.cells.size();
        longest_.change(queue->first, cells, 0);
        cells_ -= cells;
        queues_.erase(queue);
    }

    std::map<Key, Queue> queues_;                                // none is empty
    std::unordered_map<NodeId, std::deque<Key>, IdHash> turns_;  // of those for one link, the next one first
    Most<Key> longest_;
    std::size_t cells_ = 0;
};

}  // namespace planetserve::onion
