#include "dispersal/combine.h"

#include <algorithm>
#include <array>
#include <bit>

#include "crypto/secret.h"
#include "dispersal/recover.h"

namespace planetserve::dispersal {

namespace {

using Chosen = std::array<const CloveView*, maximum_cloves>;
// The cloves that state one index, by their places in the order of arrival.
using Places = std::uint32_t;

// Calls attempt with every way to complete chosen to k cloves, one at the most from each group, until it returns true.
// Never goes down a branch that cannot be completed, so the work is proportional to the calls.
template <typename Attempt>
bool try_sets(std::span<const Places> groups, std::span<const CloveView> held, Chosen& chosen, std::size_t filled,
              std::size_t k, Attempt& attempt) {
    if (filled == k) return attempt(std::span<const CloveView* const>(chosen.data(), k));
    if (groups.size() < k - filled) return false;
    for (Places left = groups.front(); left != 0; left &= left - 1) {
        chosen[filled] = &held[static_cast<std::size_t>(std::countr_zero(left))];
        if (try_sets(groups.subspan(1), held, chosen, filled + 1, k, attempt)) return true;
    }
    return try_sets(groups.subspan(1), held, chosen, filled, k, attempt);
}

std::string name_of(const CloveView& clove) {
    return "clove " + std::to_string(clove.index) + " of message " + clove.message.brief();
}

}  // namespace

Collector::Collector(ByteView binding, std::size_t maximum_message, std::size_t times_n, std::uint32_t tries)
    : binding_(to_bytes(binding)), maximum_message_(maximum_message), times_n_(times_n), tries_(tries) {}

Collector::~Collector() { crypto::wipe(binding_); }

std::size_t Collector::places(std::uint8_t n) const { return std::min(n * times_n_, maximum_cloves); }

std::optional<DispersedMessage> Collector::message() const {
    if (held_.empty()) return std::nullopt;
    return held_.front().dispersed();
}

std::size_t Collector::held_bytes() const {
    std::size_t sum = message_.size();
    for (const Bytes& clove : encoded_) sum += clove.size();
    return sum;
}

Result<Progress> Collector::add(ByteView encoded) {
    if (complete_) return judge(encoded);
    auto clove = admit(encoded);
    if (!clove) return std::unexpected(std::move(clove.error()));
    encoded_.push_back(to_bytes(encoded));
    return hold(*parse_clove(encoded_.back(), maximum_message_));
}

Result<Progress> Collector::add(Bytes&& encoded) {
    if (complete_) return judge(encoded);
    auto clove = admit(encoded);
    if (!clove) return std::unexpected(std::move(clove.error()));
    encoded_.push_back(std::move(encoded));  // does not move the bytes that are viewed
    return hold(*clove);
}

Status Collector::check_message(const CloveView& clove) const {
    if (held_.empty()) return {};
    const DispersedMessage expected = held_.front().dispersed();
    const DispersedMessage stated = clove.dispersed();
    if (stated == expected) return {};
    if (stated.id != expected.id)
        return fail(ErrorCode::invalid_argument, name_of(clove) + " among those of message " + expected.id.brief());
    auto describe = [](const DispersedMessage& message) {
        return std::to_string(message.size) + " bytes, k = " + std::to_string(message.threshold.k) +
               " of n = " + std::to_string(message.threshold.n);
    };
    return fail(ErrorCode::invalid_argument,
                name_of(clove) + " states " + describe(stated) + "; the first clove stated " + describe(expected));
}

Result<CloveView> Collector::admit(ByteView encoded) const {
    auto clove = parse_clove(encoded, maximum_message_);
    if (!clove) return clove;
    if (Status same = check_message(*clove); !same) return std::unexpected(same.error());
    if (failed_)
        return fail(ErrorCode::exhausted, "message " + clove->message.brief() + " was given up: no " +
                                              std::to_string(clove->k) + " of its cloves agreed");
    for (const CloveView& other : held_)
        if (other.index == clove->index && std::ranges::equal(other.body(), clove->body()))
            return fail(ErrorCode::already_exists, name_of(*clove) + " came before");
    if (held_.size() == places(clove->n))
        return fail(ErrorCode::exhausted,
                    name_of(*clove) + " is one more than the " + std::to_string(places(clove->n)) + " that are kept");
    return clove;
}

Result<Progress> Collector::hold(const CloveView& clove) {
    if (held_.empty()) held_.reserve(places(clove.n));
    held_.push_back(clove);
    search();
    if (complete_) return Progress::complete;
    failed_ = held_.size() == places(clove.n) || trials_ == tries_;
    if (failed_)
        return fail(ErrorCode::authentication, "message " + clove.message.brief() + " cannot be recovered: no " +
                                                   std::to_string(clove.k) + " of its " + std::to_string(held_.size()) +
                                                   " cloves agree, after " + std::to_string(trials_) + " tries");
    return Progress::needs_more;
}

// Sets without the newest clove were tried before.
void Collector::search() {
    const CloveView& newest = held_.back();
    if (held_.size() < newest.k) return;
    std::array<Places, maximum_cloves> groups{};
    std::array<std::uint8_t, maximum_cloves> group_of_index;
    group_of_index.fill(maximum_cloves);
    std::size_t count = 0;
    for (std::size_t place = 0; place + 1 < held_.size(); ++place) {
        std::uint8_t index = held_[place].index;
        if (index == newest.index) continue;
        if (group_of_index[index] == maximum_cloves) group_of_index[index] = static_cast<std::uint8_t>(count++);
        groups[group_of_index[index]] |= Places{1} << place;
    }
    Chosen chosen{&newest};
    auto attempt_bounded = [this](std::span<const CloveView* const> set) {
        if (trials_ == tries_) return true;
        ++trials_;
        return attempt(set);
    };
    try_sets(std::span<const Places>(groups).first(count), held_, chosen, 1, newest.k, attempt_bounded);
}

bool Collector::attempt(std::span<const CloveView* const> chosen) {
    auto message = recover(chosen, binding_);
    if (!message) return false;
    message_ = std::move(*message);
    complete_ = true;
    right_.assign(chosen.begin(), chosen.end());
    for (std::size_t place = 0; place < held_.size(); ++place) {
        const CloveView& clove = held_[place];
        if (std::ranges::find(right_, &clove) != right_.end() || agrees(right_, clove)) continue;
        corrupt_.push_back(clove.index);
        wrong_places_.push_back(place);
    }
    std::ranges::sort(corrupt_);
    corrupt_.erase(std::ranges::unique(corrupt_).begin(), corrupt_.end());
    return true;
}

bool Collector::verify(ByteView encoded) const {
    if (!complete_) return false;
    auto clove = parse_clove(encoded, maximum_message_);
    return clove && check_message(*clove) && agrees(right_, *clove);
}

Result<Progress> Collector::judge(ByteView encoded) {
    auto clove = parse_clove(encoded, maximum_message_);
    if (!clove) return std::unexpected(std::move(clove.error()));
    if (Status same = check_message(*clove); !same) return std::unexpected(same.error());
    if (agrees(right_, *clove)) return Progress::complete;
    if (auto at = std::ranges::lower_bound(corrupt_, clove->index); at == corrupt_.end() || *at != clove->index)
        corrupt_.insert(at, clove->index);
    return fail(ErrorCode::authentication, name_of(*clove) + " is not what its sender made");
}

Result<Recovered> combine(std::span<const ByteView> cloves, ByteView binding, std::size_t maximum_message) {
    if (cloves.size() > maximum_cloves)
        return fail(ErrorCode::invalid_argument, std::to_string(cloves.size()) + " cloves: a message has " +
                                                     std::to_string(maximum_cloves) + " at the most");
    Collector collector(binding, maximum_message);
    for (std::size_t place = 0; place < cloves.size(); ++place) {
        Result<Progress> progress = Progress::complete;
        if (collector.complete()) {
            auto same = [&](ByteView other) { return std::ranges::equal(other, cloves[place]); };
            progress = std::ranges::any_of(cloves.first(place), same)
                           ? fail(ErrorCode::already_exists, "this clove came before")
                           : collector.judge(cloves[place]);
            if (!progress && progress.error().code == ErrorCode::authentication) continue;  // in corrupt() now
        } else {
            auto clove = collector.admit(cloves[place]);
            progress = clove ? collector.hold(*clove) : std::unexpected(std::move(clove.error()));
        }
        if (!progress)
            return fail(progress.error().code,
                        "clove at place " + std::to_string(place) + " of the list: " + progress.error().message);
    }
    if (collector.complete()) return Recovered{collector.take_message(), collector.corrupt()};
    if (cloves.empty()) return fail(ErrorCode::invalid_argument, "no cloves");
    const Threshold threshold = collector.message()->threshold;
    if (collector.held() < threshold.k)
        return fail(ErrorCode::invalid_argument, std::to_string(collector.held()) + " cloves of message " +
                                                     collector.message()->id.brief() + ": " +
                                                     std::to_string(threshold.k) + " are needed");
    return fail(ErrorCode::authentication, "message " + collector.message()->id.brief() + " cannot be recovered: no " +
                                               std::to_string(threshold.k) + " of the " +
                                               std::to_string(collector.held()) + " cloves agree");
}

}  // namespace planetserve::dispersal
