// The user's paths: keeps N of them up, replaces what breaks, rotates them before they expire
// (docs/protocols/paths.md).
//
// Takes frames, losses of links, and the time; sends through the FrameSender; tells its owner what happened through
// PoolEvents, never from within open_stream, send_clove or close_stream. Not thread-safe.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "onion/path_set.h"
#include "onion/relay_choice.h"

namespace planetserve::onion {

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
    // Off in experiments only: once `paths` of them have come up no further one is built, whatever breaks or expires.
    bool repair = true;
    PathTiming timing;
    EntryRelayOptions entries;
};

enum class PathState { building, up, draining };
std::string_view to_string(PathState state);

struct PathStatus {
    PathNumber number{};
    PathState state{};
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
    void update_relays(RelayList relays, const Now& now);
    EntryRelays& entry_relays() { return choice_.entries(); }
    // True once after the set of entry relays changed and should be written to disk.
    bool take_entries_changed() { return choice_.take_entries_changed(); }

    // True when the frame belongs to a path this node built; otherwise it is the relay's.
    bool owns(const NodeId& from, ByteView payload) const;
    // Requires, as on_destroy: owns() is true of the frame.
    void on_cell(MutableByteView payload, const Now& now);
    void on_destroy(ByteView payload, const Now& now);
    void on_link_down(const NodeId& peer, const Now& now);
    void on_timer(const Now& now);
    Time next_timer() const {
        if (!next_timer_) next_timer_ = find_next_timer();
        return *next_timer_;
    }

    // Paths that may take new streams, at random order.
    std::vector<PathNumber> usable();
    const ClientPath* find(PathNumber path) const;
    // With another of the paths that take streams.
    bool shares_relays(PathNumber path) const;
    // Requires: the path is up.
    StreamId open_stream(PathNumber path, const NodeId& model, const ReplyHandle& handle);
    bool send_clove(PathNumber path, StreamId stream, ByteView clove);
    void retarget_stream(PathNumber path, StreamId stream, const NodeId& model);
    void close_stream(PathNumber path, StreamId stream);
    // The owner found a path's cloves corrupt: it is torn down and replaced.
    void distrust(PathNumber path, const Now& now);
    // Ends all paths, telling the relays.
    void shut_down();

    std::vector<PathStatus> status() const;
    // Why there are not enough paths, when there are not.
    const std::string& last_problem() const { return last_problem_; }

private:
    Time find_next_timer() const;
    void maintain(const Now& now);
    // A further path, or one in another's place. False when that failed.
    bool build_one(std::optional<PathNumber> replaces, const Now& now);
    Result<Selection> select(std::optional<PathNumber> replaces, Time now);
    bool begin_path(Selection selection, std::optional<PathNumber> replaces, const Now& now);
    // Replaces the path that shares most relays with others, where another would share fewer.
    void improve(const Now& now);
    void schedule_improvement(Time now, Duration wait);
    void handle(PathNumber number, std::vector<PathEvent> events, const Now& now);
    void on_up(PathNumber number, Time now);
    void path_down(PathNumber number, DestroyReason reason, Time now);
    void on_path_failed(const ClientPath& path, DestroyReason reason, Time now);
    // Starts draining the path that the new one replaces, now that it is up.
    void retire_for(PathNumber fresh, Time now);
    void note_failure(Time now);
    // False when fewer paths than wanted are to stay so.
    bool may_build() const { return options_.repair || came_up_ < options_.paths; }

    PoolOptions options_;
    wire::FrameSender& sender_;
    Random& random_;
    PoolEvents& events_;
    RelayChoice choice_;
    PathSet paths_;
    // Asked for after every frame; forgotten by whatever may change it.
    mutable std::optional<Time> next_timer_;
    Time retry_at_{};
    Duration retry_delay_{};
    std::optional<Time> improve_at_;  // set while paths share relays and the list offers others
    std::size_t came_up_ = 0;
    std::string last_problem_;
};

}  // namespace planetserve::onion
