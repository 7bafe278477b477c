#include "exchange/run_cache.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::exchange {

const Run* RunCache::find(const RunId& id) const {
    auto found = runs_.find(id);
    return found == runs_.end() ? nullptr : found->second.run.get();
}

void RunCache::forget_failed(const RunId& id) {
    auto found = runs_.find(id);
    if (found != runs_.end() && found->second.run->error() && found->second.readers.empty()) erase(found);
}

void RunCache::start(const Ask& ask, inference::Request request, const ExchangeId& reader) {
    REQUIRES(!runs_.contains(ask.run));
    KeptRun& kept = runs_[ask.run];
    kept.run = std::make_unique<Run>(ask, limits_.maximum_kept_reply, events_);
    kept.readers.emplace(reader, 0);
    kept.run->start(service_, std::move(request));
}

void RunCache::join(const RunId& id, const ExchangeId& reader) {
    auto found = runs_.find(id);
    REQUIRES(found != runs_.end() && found->second.run->replayable());
    found->second.readers.emplace(reader, 0);
}

void RunCache::leave(const RunId& id, const ExchangeId& reader, Ending ending) {
    auto found = runs_.find(id);
    if (found == runs_.end()) return;
    KeptRun& kept = found->second;
    kept.readers.erase(reader);
    // The one that left may have been the slowest.
    if (!kept.readers.empty()) return tell_consumed(kept);
    if (ending == Ending::finished || kept.run->over()) return;
    ++counters_.cancelled;
    erase(found);  // stops the engine
}

void RunCache::consumed(const RunId& id, const ExchangeId& reader, std::uint64_t bytes) {
    auto found = runs_.find(id);
    if (found == runs_.end()) return;
    auto known = found->second.readers.find(reader);
    if (known == found->second.readers.end()) return;
    known->second = bytes;
    tell_consumed(found->second);
}

void RunCache::tell_consumed(KeptRun& kept) {
    auto slowest = std::ranges::min_element(kept.readers, {}, [](const auto& reader) { return reader.second; });
    kept.run->consumed_by_all(slowest->second);
    count(kept);
}

std::vector<ExchangeId> RunCache::on_progress(const RunId& id, Time now) {
    auto found = runs_.find(id);
    if (found == runs_.end()) return {};
    KeptRun& kept = found->second;
    if (kept.run->over() && !kept.over_at) {
        kept.over_at = now;
        if (kept.run->error())
            failed_.push_back(id);
        else
            over_.emplace(now, id);
        count(kept);
    }
    std::vector<ExchangeId> readers;
    for (const auto& [reader, consumed] : kept.readers) readers.push_back(reader);
    return readers;
}

// Only replies that are over are kept for retries.
void RunCache::count(KeptRun& kept) {
    kept_bytes_ -= kept.counted;
    kept.counted = kept.over_at ? kept.run->kept_bytes() : 0;
    kept_bytes_ += kept.counted;
}

void RunCache::erase(Runs::iterator run) {
    kept_bytes_ -= run->second.counted;
    if (run->second.over_at) over_.erase({*run->second.over_at, run->first});
    runs_.erase(run);
}

std::vector<ExchangeId> RunCache::drop_old(Time now) {
    std::erase_if(failed_, [&](const RunId& id) {
        auto run = runs_.find(id);
        if (run == runs_.end() || !run->second.run->error()) return true;  // gone, or tried again since
        if (!run->second.readers.empty()) return false;
        erase(run);
        return true;
    });
    drop_unread(now);
    return kept_bytes_ > limits_.maximum_kept_replies ? surplus_readers() : std::vector<ExchangeId>{};
}

void RunCache::drop_unread(Time now) {
    for (auto oldest = over_.begin(); oldest != over_.end();) {
        bool old = now - oldest->first >= limits_.keep_replies || kept_bytes_ > limits_.maximum_kept_replies;
        if (!old) break;
        auto run = runs_.find((oldest++)->second);
        if (run->second.readers.empty()) erase(run);
    }
}

// Only runs with readers are left.
std::vector<ExchangeId> RunCache::surplus_readers() {
    for (const auto& [since, id] : over_) {
        KeptRun& kept = runs_.at(id);
        kept.run->drop_consumed();
        count(kept);
    }
    std::vector<ExchangeId> surplus;
    std::size_t left = kept_bytes_;
    for (auto oldest = over_.begin(); oldest != over_.end() && left > limits_.maximum_kept_replies; ++oldest) {
        const KeptRun& kept = runs_.at(oldest->second);
        left -= kept.counted;
        for (const auto& [reader, consumed] : kept.readers) surplus.push_back(reader);
    }
    return surplus;
}

std::size_t RunCache::active() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(runs_, [](const auto& run) { return !run.second.run->over(); }));
}

}  // namespace planetserve::exchange
