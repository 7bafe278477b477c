#include "onion/path_pool.h"

#include <algorithm>
#include <functional>

#include "base/requires.h"

namespace planetserve::onion {

namespace {

// A path that shares relays with another is replaced when the list has offered enough of them for this long. A list
// that grows from a handful, as at a network's start, has grown further by then.
constexpr Duration settling = 1s;
// Where no path was found that shares fewer, the next attempt waits this long, or for the next list.
constexpr Duration improve_again = 30s;

DestroyReason known_reason(std::uint8_t code) {
    return static_cast<DestroyReason>(std::min(code, static_cast<std::uint8_t>(DestroyReason::protocol)));
}

}  // namespace

std::string_view to_string(PathState state) {
    switch (state) {
        case PathState::building:
            return "building";
        case PathState::up:
            return "up";
        case PathState::draining:
            return "draining";
    }
    return "unknown";
}

PathPool::PathPool(const NodeId& self, PoolOptions options, wire::FrameSender& sender, Random& random,
                   PoolEvents& events)
    : options_(options),
      sender_(sender),
      random_(random),
      events_(events),
      choice_(self, options.length, options.entries, random),
      retry_delay_(options.retry_after) {}

void PathPool::update_relays(RelayList relays, const Now& now) {
    next_timer_.reset();
    choice_.update(std::move(relays), now.unix);
    retry_at_ = now.time;
    if (improve_at_) improve_at_ = std::min(*improve_at_, now.time + settling);
    maintain(now);
}

bool PathPool::owns(const NodeId& from, ByteView payload) const {
    auto number = paths_.number_of(payload.first(std::min(payload.size(), PathId::size)));
    return number && paths_.find(*number)->path->first_hop() == from;
}

void PathPool::on_cell(MutableByteView payload, const Now& now) {
    if (payload.size() != PathId::size + wire::cell_size) return;
    auto number = paths_.number_of(payload.first(PathId::size));
    if (!number) return;
    next_timer_.reset();
    handle(*number, paths_.find(*number)->path->on_cell(payload.subspan(PathId::size), now.time), now);
}

void PathPool::on_destroy(ByteView payload, const Now& now) {
    if (payload.size() != PathId::size + 1) return;
    auto number = paths_.number_of(payload.first(PathId::size));
    if (!number) return;
    next_timer_.reset();
    handle(*number, paths_.find(*number)->path->on_destroy(known_reason(payload.back())), now);
}

void PathPool::on_link_down(const NodeId& peer, const Now& now) {
    next_timer_.reset();
    std::vector<PathNumber> lost;
    for (const auto& [number, entry] : paths_)
        if (entry.path->first_hop() == peer) lost.push_back(number);
    if (!lost.empty()) choice_.on_entry_failed(peer, now.time);
    for (PathNumber number : lost)
        if (PooledPath* entry = paths_.find(number))
            handle(number, entry->path->on_destroy(DestroyReason::link_lost), now);
}

void PathPool::on_timer(const Now& now) {
    next_timer_.reset();
    std::vector<PathNumber> due;
    for (const auto& [number, entry] : paths_)
        if (entry.path->next_timer() <= now.time || entry.expires <= now.time) due.push_back(number);
    for (PathNumber number : due) {
        PooledPath* entry = paths_.find(number);
        if (entry == nullptr) continue;
        if (entry->expires <= now.time) {
            entry->path->destroy(DestroyReason::expired);
            path_down(number, DestroyReason::expired, now.time);
        } else {
            handle(number, entry->path->on_timer(now.time), now);
        }
    }
    maintain(now);
}

Time PathPool::find_next_timer() const {
    Time next = Time::max();
    for (const auto& [number, entry] : paths_) next = std::min({next, entry.path->next_timer(), entry.expires});
    if (!may_build() || choice_.empty()) return next;
    const std::size_t serving = paths_.serving();
    if (serving < options_.paths) return std::min(next, retry_at_);
    // One path over the number means that a replacement is already being built.
    if (serving > options_.paths) return next;
    auto rotates = paths_.next_to_rotate();
    Time rotation = rotates == paths_.end() ? Time::max() : rotates->second.rotate_at;
    return std::min(next, std::max(std::min(rotation, improve_at_.value_or(Time::max())), retry_at_));
}

void PathPool::maintain(const Now& now) {
    if (now.time < retry_at_ || choice_.empty() || !may_build()) return;
    while (paths_.serving() < options_.paths)
        if (!build_one(std::nullopt, now)) return;
    // One path over the number means that a replacement is being built.
    if (paths_.serving() > options_.paths) return;
    if (auto first = paths_.next_to_rotate(); first != paths_.end() && first->second.rotate_at <= now.time)
        build_one(first->first, now);
    else if (improve_at_ && *improve_at_ <= now.time)
        improve(now);
    if (paths_.serving() == options_.paths) schedule_improvement(now.time, settling);
}

void PathPool::schedule_improvement(Time now, Duration wait) {
    if (improve_at_ || choice_.others() < options_.paths * options_.length) return;
    if (paths_.any_shares_relays()) improve_at_ = now + wait;
}

void PathPool::improve(const Now& now) {
    improve_at_.reset();
    std::vector<std::pair<std::size_t, PathNumber>> sharing;
    for (const auto& [number, entry] : paths_)
        if (entry.is_up())
            if (std::size_t shared = paths_.shared_relays(number); shared > 0) sharing.emplace_back(shared, number);
    std::ranges::sort(sharing, std::greater{});
    for (auto [shared, number] : sharing) {
        auto selection = select(number, now.time);
        if (!selection) break;
        auto busy = paths_.relays_in_use(number);
        auto still = std::ranges::count_if(selection->hops, [&](const SetupHop& hop) { return busy.contains(hop.id); });
        // Each replacement shares fewer relays than the path it replaces, so this ends.
        if (static_cast<std::size_t>(still) >= shared) continue;
        begin_path(std::move(*selection), number, now);
        return;
    }
    if (!sharing.empty()) improve_at_ = now.time + improve_again;
}

Result<Selection> PathPool::select(std::optional<PathNumber> replaces, Time now) {
    auto selection = choice_.select(paths_.relays_in_use(std::nullopt), now);
    // Relays of a path that goes are better than those of one that stays.
    if (replaces && selection && selection->shares_relays)
        selection = choice_.select(paths_.relays_in_use(replaces), now);
    return selection;
}

bool PathPool::build_one(std::optional<PathNumber> replaces, const Now& now) {
    auto selection = select(replaces, now.time);
    if (!selection) {
        last_problem_ = selection.error().message;
        note_failure(now.time);
        return false;
    }
    return begin_path(std::move(*selection), replaces, now);
}

bool PathPool::begin_path(Selection selection, std::optional<PathNumber> replaces, const Now& now) {
    NodeId first = selection.hops.front().id;
    auto path = ClientPath::build(std::move(selection.hops), now.unix + options_.lifetime, options_.timing, now.time,
                                  sender_, random_);
    if (!path) {
        last_problem_ = "entry relay " + first.brief() + ": " + path.error().message;
        choice_.on_entry_failed(first, now.time);
        note_failure(now.time);
        return false;
    }
    auto slack = std::chrono::duration_cast<Duration>(options_.rotate_before);
    Duration early =
        slack + Duration(static_cast<Duration::rep>(random_.below(static_cast<std::uint64_t>(slack.count()) + 1)));
    Time expires = now.time + std::chrono::duration_cast<Duration>(options_.lifetime);
    paths_.add({std::move(*path), expires - early, expires, replaces});
    return true;
}

void PathPool::note_failure(Time now) {
    retry_at_ = now + retry_delay_;
    retry_delay_ = std::min(retry_delay_ * 2, options_.retry_at_most);
}

void PathPool::handle(PathNumber number, std::vector<PathEvent> events, const Now& now) {
    for (PathEvent& event : events) {
        switch (event.kind) {
            case PathEvent::Kind::up:
                on_up(number, now.time);
                break;
            case PathEvent::Kind::clove:
                events_.on_clove(number, event.stream, std::move(event.clove));
                break;
            case PathEvent::Kind::stream_closed:
                events_.on_stream_closed(number, event.stream, event.close_reason);
                break;
            case PathEvent::Kind::down:
                path_down(number, event.down_reason, now.time);
                maintain(now);
                return;
        }
        if (!paths_.contains(number)) return;
    }
}

void PathPool::on_up(PathNumber number, Time now) {
    choice_.on_entry_worked(paths_.find(number)->path->first_hop());
    ++came_up_;
    retry_delay_ = options_.retry_after;
    last_problem_.clear();
    retire_for(number, now);
    events_.on_path_up(number);
}

void PathPool::retire_for(PathNumber fresh, Time now) {
    auto replaces = std::exchange(paths_.find(fresh)->replaces, std::nullopt);
    PooledPath* old = replaces ? paths_.find(*replaces) : nullptr;
    if (old == nullptr || old->draining || paths_.serving() <= options_.paths) return;
    old->draining = true;
    if (old->path->open_streams() == 0) {
        old->path->destroy(DestroyReason::finished);
        path_down(*replaces, DestroyReason::finished, now);
    }
    // The list has settled already; the next path that shares relays need not wait.
    schedule_improvement(now, Duration{});
}

void PathPool::path_down(PathNumber number, DestroyReason reason, Time now) {
    auto node = paths_.extract(number);
    if (node.empty()) return;
    bool failed = reason != DestroyReason::finished && reason != DestroyReason::expired;
    if (failed) on_path_failed(*node.mapped().path, reason, now);
    events_.on_path_down(number, reason);
}

void PathPool::on_path_failed(const ClientPath& path, DestroyReason reason, Time now) {
    bool was_up = path.was_up();
    last_problem_ =
        std::string(was_up ? "a path broke: " : "a path could not be built: ") + std::string(to_string(reason));
    choice_.on_path_failed(path.hops(), now);
    if (was_up) return;
    // The entry relay is to blame when it could not even build the path in time.
    if (reason == DestroyReason::timed_out) choice_.on_entry_failed(path.first_hop(), now);
    note_failure(now);
}

std::vector<PathNumber> PathPool::usable() {
    std::vector<PathNumber> numbers;
    for (const auto& [number, entry] : paths_)
        if (entry.is_up()) numbers.push_back(number);
    random_.shuffle(numbers);
    return numbers;
}

const ClientPath* PathPool::find(PathNumber path) const {
    const PooledPath* found = paths_.find(path);
    return found == nullptr ? nullptr : found->path.get();
}

bool PathPool::shares_relays(PathNumber path) const { return paths_.shared_relays(path) > 0; }

StreamId PathPool::open_stream(PathNumber path, const NodeId& model, const ReplyHandle& handle) {
    PooledPath* found = paths_.find(path);
    REQUIRES(found != nullptr);
    next_timer_.reset();
    return found->path->open_stream(model, handle);
}

bool PathPool::send_clove(PathNumber path, StreamId stream, ByteView clove) {
    PooledPath* found = paths_.find(path);
    return found != nullptr && found->path->send_clove(stream, clove);
}

void PathPool::retarget_stream(PathNumber path, StreamId stream, const NodeId& model) {
    if (PooledPath* found = paths_.find(path)) found->path->retarget_stream(stream, model);
}

void PathPool::close_stream(PathNumber number, StreamId stream) {
    PooledPath* found = paths_.find(number);
    if (found == nullptr) return;
    next_timer_.reset();
    found->path->close_stream(stream);
    // A draining path goes at the next timer, since events must not come from within this call.
    if (found->draining && found->path->open_streams() == 0) found->expires = Time{};
}

void PathPool::distrust(PathNumber number, const Now& now) {
    PooledPath* found = paths_.find(number);
    if (found == nullptr) return;
    next_timer_.reset();
    found->path->destroy(DestroyReason::protocol);
    path_down(number, DestroyReason::protocol, now.time);
    maintain(now);
}

void PathPool::shut_down() {
    next_timer_.reset();
    for (auto& [number, entry] : paths_) entry.path->destroy(DestroyReason::finished);
    paths_.clear();
}

std::vector<PathStatus> PathPool::status() const {
    std::vector<PathStatus> all;
    for (const auto& [number, entry] : paths_) {
        PathState state = entry.draining ? PathState::draining : entry.is_up() ? PathState::up : PathState::building;
        PathStatus status{number,
                          state,
                          {},
                          !entry.draining && paths_.shared_relays(number) > 0,
                          entry.path->setup_time(),
                          entry.path->round_trip(),
                          entry.path->open_streams()};
        for (const SetupHop& hop : entry.path->hops()) status.relays.push_back(hop.id);
        all.push_back(std::move(status));
    }
    return all;
}

}  // namespace planetserve::onion
