// The paths a user has, by number and by the id on their first link, and how they overlap. Part of PathPool.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "onion/client_path.h"

namespace planetserve::onion {

// Numbers the paths a user built; never reused.
enum class PathNumber : std::uint64_t {};

struct PooledPath {
    std::unique_ptr<ClientPath> path;
    Time rotate_at;
    Time expires;
    std::optional<PathNumber> replaces{};  // the path to be retired once this one is up
    bool draining = false;                 // replaced: takes no new streams, and goes when its own have ended

    bool is_up() const { return !draining && path->state() == ClientPath::State::up; }
};

class PathSet {
public:
    using Paths = std::map<PathNumber, PooledPath>;

    PathNumber add(PooledPath path);
    // Null when there is none.
    PooledPath* find(PathNumber number);
    const PooledPath* find(PathNumber number) const;
    bool contains(PathNumber number) const { return paths_.contains(number); }
    std::optional<PathNumber> number_of(ByteView path_id) const;
    // Takes the path out; empty when there is none.
    Paths::node_type extract(PathNumber number);
    void clear();

    // In the order of their numbers.
    auto begin() const { return paths_.begin(); }
    auto end() const { return paths_.end(); }

    // Paths that are not draining.
    std::size_t serving() const;
    // Of these, the one to rotate first; end() when there is none.
    Paths::const_iterator next_to_rotate() const;
    // Relays of the paths that are not draining, except those of one path.
    std::set<NodeId> relays_in_use(std::optional<PathNumber> except) const;
    // How many of the path's relays others that are not draining use. A path and its replacement do not count for each
    // other.
    std::size_t shared_relays(PathNumber path) const;
    bool any_shares_relays() const;

private:
    Paths paths_;
    std::vector<std::pair<PathId, PathNumber>> by_id_;  // a handful: searched for every frame of others' paths
    std::uint64_t next_number_ = 1;
};

}  // namespace planetserve::onion
