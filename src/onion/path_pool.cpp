#include "onion/path_pool.h"

#include <algorithm>
#include <functional>

namespace planetserve::onion {

namespace {

// Relays of a path that failed in the building are avoided this long.
constexpr Duration avoid_failed = 30s;
constexpr std::size_t maximum_failed = 4096;
// A path that shares relays with another is replaced when the list has offered enough of them for this long: a list
// that grows from a handful, as at a network's start, has grown further by then.
constexpr Duration settling = 1s;
// Where none was found that shares fewer, this long passes until the next attempt, or until the next list.
constexpr Duration improve_again = 30s;

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

void PathPool::update_relays(RelayList relays, Time now, UnixTime unix_now) {
    next_timer_.reset();
    relays_ = std::move(relays);
    if (entries_.update(relays_, self_, unix_now, random_)) entries_changed_ = true;
    retry_at_ = now;
    if (improve_at_) improve_at_ = std::min(*improve_at_, now + settling);
    maintain(now, unix_now);
}

bool PathPool::owns(const NodeId& from, ByteView payload) const {
    auto number = number_of(payload.first(std::min(payload.size(), PathId::size)));
    return number && paths_.at(*number).path->first_hop() == from;
}

std::optional<PathNumber> PathPool::number_of(ByteView path_id) const {
    for (const auto& [id, number] : by_id_)
        if (std::ranges::equal(id.bytes(), path_id)) return number;
    return std::nullopt;
}

void PathPool::on_cell(const NodeId&, MutableByteView payload, Time now, UnixTime unix_now) {
    if (payload.size() != PathId::size + wire::cell_size) return;
    auto found = number_of(payload.first(PathId::size));
    if (!found) return;
    next_timer_.reset();
    const PathNumber number = *found;
    handle(number, paths_.at(number).path->on_cell(payload.subspan(PathId::size), now), now, unix_now);
}

void PathPool::on_destroy(const NodeId&, ByteView payload, Time now, UnixTime unix_now) {
    if (payload.size() != PathId::size + 1) return;
    auto found = number_of(payload.first(PathId::size));
    if (!found) return;
    next_timer_.reset();
    const PathNumber number = *found;
    auto reason = static_cast<DestroyReason>(
        std::min<std::uint8_t>(payload.back(), static_cast<std::uint8_t>(DestroyReason::protocol)));
    handle(number, paths_.at(number).path->on_destroy(reason), now, unix_now);
}

void PathPool::on_link_down(const NodeId& peer, Time now, UnixTime unix_now) {
    next_timer_.reset();
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
    next_timer_.reset();
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

Time PathPool::find_next_timer() const {
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
    if (!may_build()) return next;
    if (fresh < options_.paths && !relays_.empty()) next = std::min(next, retry_at_);
    // One path over the number means that a replacement is already being built.
    if (fresh == options_.paths && !relays_.empty())
        next = std::min(next, std::max(std::min(rotation, improve_at_.value_or(Time::max())), retry_at_));
    return next;
}

std::size_t PathPool::count_serving() const {
    return static_cast<std::size_t>(
        std::count_if(paths_.begin(), paths_.end(), [](const auto& item) { return !item.second.draining; }));
}

void PathPool::maintain(Time now, UnixTime unix_now) {
    if (now < retry_at_ || relays_.empty() || !may_build()) return;
    while (count_serving() < options_.paths)
        if (!build_one(std::nullopt, now, unix_now)) return;
    // One path over the number means that a replacement is being built.
    if (count_serving() == options_.paths) {
        auto first = paths_.end();
        for (auto entry = paths_.begin(); entry != paths_.end(); ++entry)
            if (!entry->second.draining && (first == paths_.end() || entry->second.rotate_at < first->second.rotate_at))
                first = entry;
        if (first->second.rotate_at <= now)
            build_one(first->first, now, unix_now);
        else if (improve_at_ && *improve_at_ <= now)
            improve(now, unix_now);
    }
    if (count_serving() == options_.paths) schedule_improvement(now, settling);
}

void PathPool::schedule_improvement(Time now, Duration wait) {
    if (improve_at_ || others() < options_.paths * options_.length) return;
    bool shared = std::any_of(paths_.begin(), paths_.end(),
                              [&](const auto& item) { return !item.second.draining && shared_relays(item.first) > 0; });
    if (shared) improve_at_ = now + wait;
}

void PathPool::improve(Time now, UnixTime unix_now) {
    improve_at_.reset();
    std::vector<std::pair<std::size_t, PathNumber>> sharing;
    for (const auto& [number, entry] : paths_)
        if (!entry.draining && entry.path->state() == ClientPath::State::up)
            if (std::size_t shared = shared_relays(number); shared > 0) sharing.emplace_back(shared, number);
    std::ranges::sort(sharing, std::greater{});
    for (auto [shared, number] : sharing) {
        auto selection = select(number, now);
        if (!selection) break;
        auto busy = relays_in_use(number);
        auto still = std::ranges::count_if(selection->hops, [&](const SetupHop& hop) { return busy.contains(hop.id); });
        // Each replacement shares fewer relays than the path it replaces, so this ends.
        if (static_cast<std::size_t>(still) >= shared) continue;
        begin_path(std::move(*selection), number, now, unix_now);
        return;
    }
    if (!sharing.empty()) improve_at_ = now + improve_again;
}

std::set<NodeId> PathPool::relays_in_use(std::optional<PathNumber> except) const {
    std::set<NodeId> busy;
    for (const auto& [number, entry] : paths_)
        if (!entry.draining && number != except)
            for (const SetupHop& hop : entry.path->hops()) busy.insert(hop.id);
    return busy;
}

std::size_t PathPool::shared_relays(PathNumber path) const {
    auto found = paths_.find(path);
    if (found == paths_.end()) return 0;
    std::size_t shared = 0;
    for (const SetupHop& hop : found->second.path->hops())
        shared += std::any_of(paths_.begin(), paths_.end(), [&](const auto& item) {
            const auto& [number, other] = item;
            if (number == path || other.draining || other.replaces == path || found->second.replaces == number)
                return false;
            return std::ranges::find(other.path->hops(), hop.id, &SetupHop::id) != other.path->hops().end();
        });
    return shared;
}

Result<Selection> PathPool::select(std::optional<PathNumber> replaces, Time now) {
    auto failed = still_failed(failed_until_, now);
    auto usable = entries_.usable(now);
    auto selection = select_path(relays_, self_, usable, relays_in_use(std::nullopt), failed, options_.length, random_);
    // Relays of a path that goes are better than those of one that stays.
    if (replaces && selection && selection->shares_relays)
        selection = select_path(relays_, self_, usable, relays_in_use(replaces), failed, options_.length, random_);
    return selection;
}

bool PathPool::build_one(std::optional<PathNumber> replaces, Time now, UnixTime unix_now) {
    auto selection = select(replaces, now);
    if (!selection) {
        last_problem_ = selection.error().message;
        note_failure(now);
        return false;
    }
    return begin_path(std::move(*selection), replaces, now, unix_now);
}

bool PathPool::begin_path(Selection selection, std::optional<PathNumber> replaces, Time now, UnixTime unix_now) {
    NodeId first = selection.hops.front().id;
    auto path = ClientPath::build(std::move(selection.hops), unix_now + options_.lifetime, options_.timing, now,
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
    PathNumber number{next_number_++};
    by_id_.emplace_back((*path)->id(), number);
    paths_.emplace(number, Entry{std::move(*path), expires - early, expires, replaces});
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
                ++came_up_;
                retry_delay_ = options_.retry_after;
                last_problem_.clear();
                retire_for(number, now);
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

void PathPool::retire_for(PathNumber fresh, Time now) {
    auto replaces = std::exchange(paths_.at(fresh).replaces, std::nullopt);
    auto old = replaces ? paths_.find(*replaces) : paths_.end();
    if (old == paths_.end() || old->second.draining || count_serving() <= options_.paths) return;
    old->second.draining = true;
    if (old->second.path->open_streams() == 0) {
        old->second.path->destroy(DestroyReason::finished);
        path_down(*replaces, DestroyReason::finished, now);
    }
    // The list has settled already; the next path that shares relays need not wait.
    schedule_improvement(now, Duration{});
}

void PathPool::path_down(PathNumber number, DestroyReason reason, Time now) {
    auto node = paths_.extract(number);
    if (node.empty()) return;
    const ClientPath& path = *node.mapped().path;
    std::erase_if(by_id_, [&](const auto& item) { return item.second == number; });
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

bool PathPool::shares_relays(PathNumber path) const { return shared_relays(path) > 0; }

StreamId PathPool::open_stream(PathNumber path, const NodeId& model, const ReplyHandle& handle) {
    next_timer_.reset();
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
    next_timer_.reset();
    Entry& entry = found->second;
    entry.path->close_stream(stream);
    // A draining path goes at the next timer, since events must not come from within this call.
    if (entry.draining && entry.path->open_streams() == 0) entry.expires = Time{};
}

void PathPool::distrust(PathNumber number, Time now, UnixTime unix_now) {
    auto found = paths_.find(number);
    if (found == paths_.end()) return;
    next_timer_.reset();
    found->second.path->destroy(DestroyReason::protocol);
    path_down(number, DestroyReason::protocol, now);
    maintain(now, unix_now);
}

void PathPool::shut_down() {
    next_timer_.reset();
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
                          !entry.draining && shared_relays(number) > 0,
                          entry.path->setup_time(),
                          entry.path->round_trip(),
                          entry.path->open_streams()};
        for (const SetupHop& hop : entry.path->hops()) status.relays.push_back(hop.id);
        all.push_back(std::move(status));
    }
    return all;
}

}  // namespace planetserve::onion
