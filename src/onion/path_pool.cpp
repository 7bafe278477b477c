#include "onion/path_pool.h"

#include <algorithm>

namespace planetserve::onion {

namespace {

// Relays of a path that failed in the building are avoided this long.
constexpr Duration avoid_failed = 30s;
constexpr std::size_t maximum_failed = 4096;
// A path that had to share relays with another is built anew after this long, where there are relays enough.
constexpr Duration improve_after = 30s;

std::set<NodeId> still_failed(std::map<NodeId, Time>& failed, Time now) {
    std::erase_if(failed, [&](const auto& item) { return item.second <= now; });
    std::set<NodeId> ids;
    for (const auto& [id, until] : failed) ids.insert(id);
    return ids;
}

}  // namespace

PathPool::PathPool(const NodeId& self, PoolOptions options, wire::FrameSender& sender, Random& random,
                   PoolEvents& events)
    : self_(self),
      options_(options),
      sender_(sender),
      random_(random),
      events_(events),
      entries_(options.entries),
      retry_delay_(options.retry_after) {}

void PathPool::update_relays(std::vector<RelayInfo> relays, Time now, UnixTime unix_now) {
    std::erase_if(relays, [&](const RelayInfo& relay) { return relay.id == self_; });
    relays_ = std::move(relays);
    std::vector<NodeId> ids;
    for (const RelayInfo& relay : relays_) ids.push_back(relay.id);
    if (entries_.update(ids, unix_now, random_)) entries_changed_ = true;
    retry_at_ = now;
    maintain(now, unix_now);
}

bool PathPool::owns(const NodeId& from, ByteView payload) const {
    auto id = PathId::from(payload.first(std::min(payload.size(), PathId::size)));
    if (!id) return false;
    auto found = by_id_.find(*id);
    return found != by_id_.end() && paths_.at(found->second).path->first_hop() == from;
}

void PathPool::on_cell(const NodeId&, MutableByteView payload, Time now, UnixTime unix_now) {
    if (payload.size() != PathId::size + wire::cell_size) return;
    auto found = by_id_.find(PathId::from(payload.first(PathId::size)).value());
    if (found == by_id_.end()) return;
    PathNumber number = found->second;
    handle(number, paths_.at(number).path->on_cell(payload.subspan(PathId::size), now), now, unix_now);
}

void PathPool::on_destroy(const NodeId&, ByteView payload, Time now, UnixTime unix_now) {
    if (payload.size() != PathId::size + 1) return;
    auto found = by_id_.find(PathId::from(payload.first(PathId::size)).value());
    if (found == by_id_.end()) return;
    PathNumber number = found->second;
    auto reason = static_cast<DestroyReason>(
        std::min<std::uint8_t>(payload.back(), static_cast<std::uint8_t>(DestroyReason::protocol)));
    handle(number, paths_.at(number).path->on_destroy(reason), now, unix_now);
}

void PathPool::on_link_down(const NodeId& peer, Time now, UnixTime unix_now) {
    std::vector<PathNumber> lost;
    for (const auto& [number, entry] : paths_)
        if (entry.path->first_hop() == peer) lost.push_back(number);
    if (!lost.empty()) entries_.on_failure(peer, now);
    for (PathNumber number : lost) {
        auto entry = paths_.find(number);
        if (entry != paths_.end())
            handle(number, entry->second.path->on_destroy(DestroyReason::link_lost), now, unix_now);
    }
}

void PathPool::on_timer(Time now, UnixTime unix_now) {
    std::vector<PathNumber> due;
    for (const auto& [number, entry] : paths_)
        if (entry.path->next_timer() <= now || entry.expires <= now) due.push_back(number);
    for (PathNumber number : due) {
        auto entry = paths_.find(number);
        if (entry == paths_.end()) continue;
        if (entry->second.expires <= now) {
            entry->second.path->destroy(DestroyReason::expired);
            path_down(number, DestroyReason::expired, now);
        } else {
            handle(number, entry->second.path->on_timer(now), now, unix_now);
        }
    }
    maintain(now, unix_now);
}

Time PathPool::next_timer() const {
    Time next = Time::max();
    std::size_t fresh = 0;
    Time rotation = Time::max();
    for (const auto& [number, entry] : paths_) {
        next = std::min({next, entry.path->next_timer(), entry.expires});
        if (!entry.draining) {
            ++fresh;
            rotation = std::min(rotation, entry.rotate_at);
        }
    }
    if (fresh < options_.paths && !relays_.empty()) next = std::min(next, retry_at_);
    // One path over the number means that a replacement is already being built.
    if (fresh == options_.paths && !relays_.empty()) next = std::min(next, std::max(rotation, retry_at_));
    return next;
}

std::size_t PathPool::count_serving() const {
    return static_cast<std::size_t>(
        std::count_if(paths_.begin(), paths_.end(), [](const auto& item) { return !item.second.draining; }));
}

void PathPool::maintain(Time now, UnixTime unix_now) {
    if (now < retry_at_ || relays_.empty()) return;
    while (count_serving() < options_.paths)
        if (!build_one(now, unix_now)) return;
    bool rotation_due = std::any_of(paths_.begin(), paths_.end(), [&](const auto& item) {
        return !item.second.draining && item.second.rotate_at <= now;
    });
    if (rotation_due && count_serving() == options_.paths) build_one(now, unix_now);
}

bool PathPool::build_one(Time now, UnixTime unix_now) {
    std::set<NodeId> busy;
    for (const auto& [number, entry] : paths_)
        if (!entry.draining)
            for (const SetupHop& hop : entry.path->hops()) busy.insert(hop.id);
    auto selection =
        select_path(relays_, entries_.usable(now), busy, still_failed(failed_until_, now), options_.length, random_);
    if (!selection) {
        last_problem_ = selection.error().message;
        note_failure(now);
        return false;
    }
    NodeId first = selection->hops.front().id;
    auto path = ClientPath::build(std::move(selection->hops), unix_now + options_.lifetime, options_.timing, now,
                                  sender_, random_);
    if (!path) {
        last_problem_ = "entry relay " + first.brief() + ": " + path.error().message;
        entries_.on_failure(first, now);
        note_failure(now);
        return false;
    }
    auto slack = std::chrono::duration_cast<Duration>(options_.rotate_before);
    Duration early =
        slack + Duration(static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(slack.count()) + 1)));
    Time expires = now + std::chrono::duration_cast<Duration>(options_.lifetime);
    Time rotate_at = expires - early;
    if (selection->shares_relays && relays_.size() >= options_.paths * options_.length)
        rotate_at = std::min(rotate_at, now + improve_after);
    PathNumber number{next_number_++};
    by_id_.emplace((*path)->id(), number);
    paths_.emplace(number, Entry{std::move(*path), rotate_at, expires, false, selection->shares_relays});
    return true;
}

void PathPool::note_failure(Time now) {
    retry_at_ = now + retry_delay_;
    retry_delay_ = std::min(retry_delay_ * 2, options_.retry_at_most);
}

void PathPool::handle(PathNumber number, std::vector<PathEvent> events, Time now, UnixTime unix_now) {
    for (PathEvent& event : events) {
        switch (event.kind) {
            case PathEvent::Kind::up:
                entries_.on_success(paths_.at(number).path->first_hop());
                retry_delay_ = options_.retry_after;
                last_problem_.clear();
                retire_one(now);
                events_.on_path_up(number);
                break;
            case PathEvent::Kind::clove:
                events_.on_clove(number, event.stream, std::move(event.clove));
                break;
            case PathEvent::Kind::stream_closed:
                events_.on_stream_closed(number, event.stream, event.close_reason);
                break;
            case PathEvent::Kind::down:
                path_down(number, event.down_reason, now);
                maintain(now, unix_now);
                return;
        }
        if (!paths_.contains(number)) return;
    }
}

void PathPool::retire_one(Time now) {
    if (count_serving() <= options_.paths) return;
    Entry* oldest = nullptr;
    PathNumber oldest_number{};
    for (auto& [number, entry] : paths_) {
        if (entry.draining || entry.path->state() != ClientPath::State::up) continue;
        if (oldest == nullptr || entry.rotate_at < oldest->rotate_at) {
            oldest = &entry;
            oldest_number = number;
        }
    }
    if (oldest == nullptr) return;
    oldest->draining = true;
    if (oldest->path->open_streams() == 0) {
        oldest->path->destroy(DestroyReason::finished);
        path_down(oldest_number, DestroyReason::finished, now);
    }
}

void PathPool::path_down(PathNumber number, DestroyReason reason, Time now) {
    auto node = paths_.extract(number);
    if (node.empty()) return;
    const ClientPath& path = *node.mapped().path;
    by_id_.erase(path.id());
    bool failed = reason != DestroyReason::finished && reason != DestroyReason::expired;
    if (failed) {
        bool was_up = path.was_up();
        last_problem_ =
            std::string(was_up ? "a path broke: " : "a path could not be built: ") + std::string(to_string(reason));
        // It is not known which relay is to blame, so all but the entry are avoided for a while; the entry only when it
        // could not even build the path in time.
        for (const SetupHop& hop : path.hops())
            if (failed_until_.size() < maximum_failed && hop.id != path.first_hop())
                failed_until_[hop.id] = now + avoid_failed;
        if (!was_up && reason == DestroyReason::timed_out) entries_.on_failure(path.first_hop(), now);
        if (!was_up) note_failure(now);
    }
    events_.on_path_down(number, reason);
}

std::vector<PathNumber> PathPool::usable() {
    std::vector<PathNumber> numbers;
    for (const auto& [number, entry] : paths_)
        if (!entry.draining && entry.path->state() == ClientPath::State::up) numbers.push_back(number);
    random_.shuffle(numbers);
    return numbers;
}

const ClientPath* PathPool::find(PathNumber path) const {
    auto found = paths_.find(path);
    return found == paths_.end() ? nullptr : found->second.path.get();
}

bool PathPool::shares_relays(PathNumber path) const {
    auto found = paths_.find(path);
    return found != paths_.end() && found->second.shares_relays;
}

StreamId PathPool::open_stream(PathNumber path, const NodeId& model, const ReplyHandle& handle) {
    return paths_.at(path).path->open_stream(model, handle);
}

bool PathPool::send_clove(PathNumber path, StreamId stream, ByteView clove) {
    auto found = paths_.find(path);
    return found != paths_.end() && found->second.path->send_clove(stream, clove);
}

void PathPool::retarget_stream(PathNumber path, StreamId stream, const NodeId& model) {
    auto found = paths_.find(path);
    if (found != paths_.end()) found->second.path->retarget_stream(stream, model);
}

void PathPool::close_stream(PathNumber number, StreamId stream, Time) {
    auto found = paths_.find(number);
    if (found == paths_.end()) return;
    Entry& entry = found->second;
    entry.path->close_stream(stream);
    // A draining path goes at the next timer, since events must not come from within this call.
    if (entry.draining && entry.path->open_streams() == 0) entry.expires = Time{};
}

void PathPool::distrust(PathNumber number, Time now, UnixTime unix_now) {
    auto found = paths_.find(number);
    if (found == paths_.end()) return;
    found->second.path->destroy(DestroyReason::protocol);
    path_down(number, DestroyReason::protocol, now);
    maintain(now, unix_now);
}

void PathPool::shut_down() {
    for (auto& [number, entry] : paths_) entry.path->destroy(DestroyReason::finished);
    paths_.clear();
    by_id_.clear();
}

std::vector<PathStatus> PathPool::status() const {
    std::vector<PathStatus> all;
    for (const auto& [number, entry] : paths_) {
        PathStatus status{number,
                          entry.draining                                 ? "draining"
                          : entry.path->state() == ClientPath::State::up ? "up"
                                                                         : "building",
                          {},
                          entry.shares_relays,
                          entry.path->setup_time(),
                          entry.path->round_trip(),
                          entry.path->open_streams()};
        for (const SetupHop& hop : entry.path->hops()) status.relays.push_back(hop.id);
        all.push_back(std::move(status));
    }
    return all;
}

}  // namespace planetserve::onion
