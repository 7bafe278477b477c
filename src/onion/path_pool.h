// The user's paths: keeps N of them up, replaces what breaks, rotates them before they expire
// (docs/protocols/paths.md).
//
// Takes frames, losses of links, and the time; sends through the FrameSender; tells its owner what happened through
// PoolEvents, never from within open_stream, send_clove or close_stream. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>

#include "onion/client_path.h"
#include "onion/entry_relays.h"
#include "onion/path_selection.h"

namespace planetserve::onion {

// Numbers the paths a user built; never reused.
enum class PathNumber : std::uint64_t {};

class PoolEvents {
public:
    virtual ~PoolEvents() = default;
    virtual void on_path_up(PathNumber path) = 0;
    // Its streams are gone with it.
    virtual void on_path_down(PathNumber path, DestroyReason reason) = 0;
    virtual void on_clove(PathNumber path, StreamId stream, Bytes clove) = 0;
    virtual void on_stream_closed(PathNumber path, StreamId stream, CloseReason reason) = 0;
};

struct PoolOptions {
    std::size_t paths = 4;   // N: kept up
    std::size_t length = 3;  // l: relays a path
    std::chrono::milliseconds lifetime = std::chrono::minutes(10);
    // A replacement is begun this long before expiry, less a random part of it so that paths do not rotate together.
    std::chrono::milliseconds rotate_before = std::chrono::minutes(2);
    Duration retry_after = 200ms;  // after a failed attempt; doubles up to retry_at_most
    Duration retry_at_most = 10s;
    // Off, in experiments alone: once `paths` of them have come up no further one is built, whatever breaks or expires.
    bool repair = true;
    PathTiming timing;
    EntryRelayOptions entries;
};

struct PathStatus {
    PathNumber number{};
    std::string state;  // building, up, draining
    std::vector<NodeId> relays;
    bool shares_relays = false;
    Duration setup_time{};
    Duration round_trip{};
    std::size_t streams = 0;
};

class PathPool {
public:
    PathPool(const NodeId& self, PoolOptions options, wire::FrameSender& sender, Random& random, PoolEvents& events);

    // The relays of the directory; this node, if it is among them, takes no part. Call it with every new list.
    void update_relays(RelayList relays, Time now, UnixTime unix_now);
    EntryRelays& entry_relays() { return entries_; }
    // True once after the set of entry relays changed and should be written to disk.
    bool take_entries_changed() { return std::exchange(entries_changed_, false); }

    // True when the frame belongs to a path this node built; otherwise it is the relay's.
    bool owns(const NodeId& from, ByteView payload) const;
    void on_cell(const NodeId& from, MutableByteView payload, Time now, UnixTime unix_now);
    void on_destroy(const NodeId& from, ByteView payload, Time now, UnixTime unix_now);
    void on_link_down(const NodeId& peer, Time now, UnixTime unix_now);
    void on_timer(Time now, UnixTime unix_now);
    Time next_timer() const {
        if (!next_timer_) next_timer_ = find_next_timer();
        return *next_timer_;
    }

    // Paths that may take new streams, at random order.
    std::vector<PathNumber> usable();
    const ClientPath* find(PathNumber path) const;
    // With another of the paths that take streams.
    bool shares_relays(PathNumber path) const;
    StreamId open_stream(PathNumber path, const NodeId& model, const ReplyHandle& handle);
    bool send_clove(PathNumber path, StreamId stream, ByteView clove);
    void retarget_stream(PathNumber path, StreamId stream, const NodeId& model);
    void close_stream(PathNumber path, StreamId stream, Time now);
    // The owner found a path's cloves corrupt: it is torn down and replaced.
    void distrust(PathNumber path, Time now, UnixTime unix_now);
    // Ends all paths, telling the relays.
    void shut_down();

    std::vector<PathStatus> status() const;
    // Why there are not enough paths, when there are not.
    const std::string& last_problem() const { return last_problem_; }

private:
    struct Entry {
        std::unique_ptr<ClientPath> path;
        Time rotate_at;
        Time expires;
        std::optional<PathNumber> replaces;  // the path to be retired once this one is up
        bool draining = false;               // replaced; goes when its streams have ended
    };

    Time find_next_timer() const;
    void maintain(Time now, UnixTime unix_now);
    // A further path, or one in another's place. False when that failed.
    bool build_one(std::optional<PathNumber> replaces, Time now, UnixTime unix_now);
    Result<Selection> select(std::optional<PathNumber> replaces, Time now);
    bool begin_path(Selection selection, std::optional<PathNumber> replaces, Time now, UnixTime unix_now);
    // Replaces the path that shares most relays with others, where another would share fewer.
    void improve(Time now, UnixTime unix_now);
    void schedule_improvement(Time now, Duration wait);
    void handle(PathNumber number, std::vector<PathEvent> events, Time now, UnixTime unix_now);
    void path_down(PathNumber number, DestroyReason reason, Time now);
    // Starts draining the path that the new one replaces, now that it is up.
    void retire_for(PathNumber fresh, Time now);
    // Relays of the paths that take streams, but for one that is being replaced.
    std::set<NodeId> relays_in_use(std::optional<PathNumber> except) const;
    // How many of the path's relays others of this user's paths use.
    std::size_t shared_relays(PathNumber path) const;
    void note_failure(Time now);
    std::size_t count_serving() const;
    std::optional<PathNumber> number_of(ByteView path_id) const;
    // False when fewer paths than wanted are to stay so.
    bool may_build() const { return options_.repair || came_up_ < options_.paths; }
    // Relays in the list besides this node.
    std::size_t others() const { return relays_.size() - (relays_.contains(self_) ? 1 : 0); }

    NodeId self_;
    PoolOptions options_;
    wire::FrameSender& sender_;
    Random& random_;
    PoolEvents& events_;
    EntryRelays entries_;
    bool entries_changed_ = false;
    RelayList relays_;
    std::map<PathNumber, Entry> paths_;
    std::vector<std::pair<PathId, PathNumber>> by_id_;  // a handful: looked through for every frame of others' paths
    // Asked for after every frame; forgotten by whatever may change it.
    mutable std::optional<Time> next_timer_;
    std::map<NodeId, Time> failed_until_;
    Time retry_at_{};
    Duration retry_delay_{};
    std::optional<Time> improve_at_;  // set while paths share relays and the list offers others
    std::uint64_t next_number_ = 1;
    std::size_t came_up_ = 0;
    std::string last_problem_;
};

}  // namespace planetserve::onion
