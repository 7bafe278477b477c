// What waits for links with much to send: a queue for each path and link, served in turn.
//
// A link has one queue of its own, first come, first served. A node fills that queue only up to a mark and keeps what
// is beyond it here, so whoever floods a slow link delays itself and nobody else. Turns go by the neighbour that
// brought the frames, and then by path: a neighbour with a thousand paths gets no more of a link than one with a single
// path. Where too much waits, the neighbour that brought most loses first. Pure, not thread-safe.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/requires.h"
#include "onion/most.h"

namespace planetserve::onion {

// The key names the path and the direction; all that it has goes to one neighbour, and came from one.
template <typename Key, typename Frame = Bytes>
class LinkQueues {
public:
    // `cells`: how much the frame counts, at least 1.
    void push(const NodeId& from, const NodeId& to, const Key& key, Frame frame, std::size_t cells = 1) {
        auto [found, is_new] = queues_.try_emplace(key, Queue{from, to, {}, 0});
        Queue& queue = found->second;
        REQUIRES(queue.from == from && queue.to == to && cells > 0);
        if (is_new) add_turn(queue, key);
        queue.frames.push_back({std::move(frame), cells});
        change(found, queue.cells + cells);
    }

    bool waits(const Key& key) const { return queues_.contains(key); }
    bool waits_for(const NodeId& to) const { return turns_.contains(to); }
    std::size_t cells(const Key& key) const {
        auto found = queues_.find(key);
        return found == queues_.end() ? 0 : found->second.cells;
    }
    std::size_t cells() const { return cells_; }
    // Of the neighbour that brought most, the key with most cells. Requires: cells() > 0.
    const Key& longest() const { return shares_.at(most_.key()).keys.key(); }

    void drop(const Key& key) {
        auto found = queues_.find(key);
        if (found == queues_.end()) return;
        drop_turn(found->second, key);
        forget(found);
    }
    // Drops those of the keys from `first` on for which `belongs(key)` is true, up to one for which it is not.
    template <typename Belongs>
    void drop_from(const Key& first, Belongs&& belongs) {
        for (auto found = queues_.lower_bound(first); found != queues_.end() && belongs(found->first);) {
            const Key key = (found++)->first;
            drop(key);
        }
    }
    // Drops all that waits for the link.
    void drop_link(const NodeId& to) {
        std::vector<Key> lost;
        for (const auto& [key, queue] : queues_)
            if (queue.to == to) lost.push_back(key);
        for (const Key& key : lost) drop(key);
    }

    // One frame of each neighbour in turn, and of its keys in turn, while the link takes more. `room()` says whether it
    // does; `send(key, frame)` returns false where the frame could not be sent. Returns the keys of which that is true;
    // what they had is dropped. Neither may change the queues.
    template <typename Room, typename Send>
    std::vector<Key> drain(const NodeId& to, Room&& room, Send&& send) {
        std::vector<Key> failed;
        while (room()) {
            auto turns = turns_.find(to);
            if (turns == turns_.end()) break;
            auto found = queues_.find(turns->second.front().keys.front());
            const Key key = found->first;
            auto& [frame, size] = found->second.frames.front();
            if (!send(key, frame)) {
                failed.push_back(key);
                drop(key);
                continue;
            }
            const std::size_t left = found->second.cells - size;
            found->second.frames.pop_front();
            next_turn(turns, left > 0);
            if (left == 0)
                forget(found);
            else
                change(found, left);
        }
        return failed;
    }

private:
    struct Waiting {
        Frame frame;
        std::size_t cells = 1;
    };
    struct Queue {
        NodeId from;
        NodeId to;
        std::deque<Waiting> frames;
        std::size_t cells = 0;
    };
    using Queues = std::map<Key, Queue>;
    struct Share {
        std::size_t cells = 0;
        Most<Key> keys;
    };
    struct Turn {
        NodeId from;
        std::deque<Key> keys;  // the next one first
    };
    using Turns = std::deque<Turn>;  // of one link, the next one first
    using TurnsOfLinks = std::unordered_map<NodeId, Turns, IdHash>;

    void add_turn(const Queue& queue, const Key& key) {
        Turns& turns = turns_[queue.to];
        auto turn = std::ranges::find(turns, queue.from, &Turn::from);
        if (turn == turns.end()) turn = turns.insert(turns.end(), Turn{queue.from, {}});
        turn->keys.push_back(key);
    }
    void drop_turn(const Queue& queue, const Key& key) {
        auto turns = turns_.find(queue.to);
        auto turn = std::ranges::find(turns->second, queue.from, &Turn::from);
        std::erase(turn->keys, key);
        if (turn->keys.empty()) turns->second.erase(turn);
        if (turns->second.empty()) turns_.erase(turns);
    }
    // The neighbour whose turn it was is the last now, and of its keys the one whose turn it was, if more of it waits.
    void next_turn(typename TurnsOfLinks::iterator link, bool more_waits) {
        Turns& turns = link->second;
        Turn turn = std::move(turns.front());
        turns.pop_front();
        if (more_waits) turn.keys.push_back(turn.keys.front());
        turn.keys.pop_front();
        if (!turn.keys.empty()) turns.push_back(std::move(turn));
        if (turns.empty()) turns_.erase(link);
    }
    void change(typename Queues::iterator found, std::size_t cells) {
        Queue& queue = found->second;
        auto share = shares_.try_emplace(queue.from).first;
        const std::size_t before = share->second.cells;
        const std::size_t after = before - queue.cells + cells;
        share->second.cells = after;
        share->second.keys.change(found->first, queue.cells, cells);
        most_.change(queue.from, before, after);
        cells_ = cells_ - before + after;
        queue.cells = cells;
        if (after == 0) shares_.erase(share);
    }
    void forget(typename Queues::iterator found) {
        change(found, 0);
        queues_.erase(found);
    }

    Queues queues_;  // none is empty
    TurnsOfLinks turns_;
    std::unordered_map<NodeId, Share, IdHash> shares_;  // of the neighbours that brought what waits
    Most<NodeId> most_;
    std::size_t cells_ = 0;
};

}  // namespace planetserve::onion
