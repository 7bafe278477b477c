#include "inference/admission.h"

#include <algorithm>
#include <tuple>

#include "base/requires.h"

namespace planetserve::inference {

namespace {

// A neighbour's request passes those of others that are so many times longer than the work that its neighbour is ahead.
// With 1, finish tags, it waits for a turn of all other neighbours, also of those that somebody floods.
constexpr std::uint64_t lead_of_short = 4;

constexpr std::chrono::seconds shortest_retry{1};
constexpr std::chrono::seconds longest_retry{120};

}  // namespace

Admission::Admission(AdmissionLimits limits) : limits_(limits) { REQUIRES(limits_.capacity > 0); }

Admission::Answer Admission::ask(const NodeId& via, Time now, std::optional<std::uint64_t> tokens) {
    const std::uint64_t counted =
        std::clamp(tokens.value_or(limits_.usual_tokens), limits_.fewest_tokens, limits_.most_tokens);
    auto [neighbour, fresh] = neighbours_.try_emplace(via);
    if (fresh) neighbour->second.begun = level_;
    // Requests that wait come first, even when a place has just become free.
    if (queued_ == 0 && running_.size() < limits_.capacity) {
        run(neighbour, ++last_, counted, now);
        return {Decision::start, last_, {}};
    }
    const Time rank = now + limits_.each_token * static_cast<std::int64_t>(counted);
    std::optional<Ticket> displaced;
    if (queued_ >= limits_.queue) {
        displaced = displace_for(neighbour->second, rank);
        if (!displaced) {
            forget_idle(neighbour);
            return {Decision::refuse, 0, {}};
        }
    }
    auto& queue = neighbour->second.queue;
    // Who waited for nothing lately is no further ahead than those who are served now.
    if (queue.empty()) neighbour->second.begun = std::max(neighbour->second.begun, level_);
    queue.insert(std::ranges::upper_bound(queue, rank, {}, &Waiting::rank), {++last_, counted, now, rank});
    ++queued_;
    return {Decision::wait, last_, displaced};
}

std::optional<Admission::Ticket> Admission::displace_for(const Neighbour& neighbour, Time rank) {
    auto waiting = [](const auto& item) { return item.second.queue.size(); };
    auto victim = std::ranges::max_element(neighbours_, {}, waiting);
    if (waiting(*victim) <= neighbour.queue.size() + 1) {
        victim = neighbours_.end();
        for (auto one = neighbours_.begin(); one != neighbours_.end(); ++one) {
            const auto& queue = one->second.queue;
            if (queue.empty() || queue.size() < neighbour.queue.size() || queue.back().rank <= rank) continue;
            rank = queue.back().rank;
            victim = one;
        }
        if (victim == neighbours_.end()) return std::nullopt;
    }
    const Ticket last = victim->second.queue.back().ticket;
    victim->second.queue.pop_back();
    --queued_;
    if (&victim->second != &neighbour) forget_idle(victim);
    return last;
}

void Admission::run(Neighbours::iterator neighbour, Ticket ticket, std::uint64_t tokens, Time now) {
    running_.emplace(ticket, Running{neighbour->first, now});
    level_ = std::max(level_, neighbour->second.begun);
    neighbour->second.begun += tokens;
    ++neighbour->second.running;
}

void Admission::stop(Ticket ticket) {
    auto neighbour = neighbours_.find(running_.at(ticket).via);
    running_.erase(ticket);
    --neighbour->second.running;
    forget_idle(neighbour);
}

void Admission::forget_idle(Neighbours::iterator neighbour) {
    if (neighbour->second.running == 0 && neighbour->second.queue.empty()) neighbours_.erase(neighbour);
}

void Admission::finished(Ticket ticket, Time now) {
    auto found = running_.find(ticket);
    if (found == running_.end()) return;
    Duration served = std::max(now - found->second.since, Duration::zero());
    average_ = average_ ? (*average_ * 7 + served) / 8 : served;
    stop(ticket);
}

void Admission::abandoned(Ticket ticket) {
    if (running_.contains(ticket)) return stop(ticket);
    for (auto neighbour = neighbours_.begin(); neighbour != neighbours_.end(); ++neighbour) {
        const std::size_t gone =
            std::erase_if(neighbour->second.queue, [&](const Waiting& one) { return one.ticket == ticket; });
        if (gone == 0) continue;
        queued_ -= gone;
        return forget_idle(neighbour);
    }
}

std::optional<Admission::Ticket> Admission::next(Time now) {
    if (queued_ == 0 || running_.size() >= limits_.capacity) return std::nullopt;
    auto best = neighbours_.end();
    auto tag = [](const Neighbour& one) {
        const Waiting& first = one.queue.front();
        return std::tuple(one.begun + lead_of_short * first.tokens, first.ticket);
    };
    for (auto neighbour = neighbours_.begin(); neighbour != neighbours_.end(); ++neighbour)
        if (!neighbour->second.queue.empty() &&
            (best == neighbours_.end() || tag(neighbour->second) < tag(best->second)))
            best = neighbour;
    const Waiting first = best->second.queue.front();
    best->second.queue.pop_front();
    --queued_;
    run(best, first.ticket, first.tokens, now);
    return first.ticket;
}

std::vector<Admission::Ticket> Admission::expired(Time now) {
    std::vector<Ticket> gone;
    for (auto neighbour = neighbours_.begin(); neighbour != neighbours_.end();) {
        queued_ -= std::erase_if(neighbour->second.queue, [&](const Waiting& one) {
            if (now - one.since < limits_.longest_wait) return false;
            gone.push_back(one.ticket);
            return true;
        });
        forget_idle(neighbour++);
    }
    std::ranges::sort(gone);
    return gone;
}

// Gives away, in play, the free places and then those of overdue requests, each to the neighbour with fewest running
// ones that has one waiting, for as long as it has fewer than who gives the place.
std::vector<Admission::Ticket> Admission::overdue(Time now) const {
    std::map<NodeId, Share> shares;
    for (const auto& [via, neighbour] : neighbours_) shares[via] = {neighbour.running, neighbour.queue.size()};
    auto next = [&] {
        auto fewest = shares.end();
        for (auto share = shares.begin(); share != shares.end(); ++share)
            if (share->second.waiting > 0 && (fewest == shares.end() || share->second.running < fewest->second.running))
                fewest = share;
        return fewest;
    };
    auto give = [](Share& share) {
        --share.waiting;
        ++share.running;
    };
    auto taker = next();
    for (std::size_t free = limits_.capacity - running_.size(); free > 0 && taker != shares.end(); --free) {
        give(taker->second);
        taker = next();
    }
    std::vector<Ticket> overdue;
    for (const auto& [ticket, running] : running_) {
        if (taker == shares.end()) break;
        Share& holder = shares.at(running.via);
        if (now - running.since < limits_.longest_run || holder.running <= taker->second.running) continue;
        overdue.push_back(ticket);
        --holder.running;
        give(taker->second);
        taker = next();
    }
    return overdue;
}

std::chrono::seconds Admission::retry_after() const {
    Duration each = average_.value_or(limits_.first_estimate);
    Duration all = each * static_cast<std::int64_t>(queued_ + 1) / static_cast<std::int64_t>(limits_.capacity);
    return std::clamp(std::chrono::ceil<std::chrono::seconds>(all), shortest_retry, longest_retry);
}

}  // namespace planetserve::inference
