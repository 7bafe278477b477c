#include "exchange/records.h"

#include <algorithm>

#include "base/requires.h"
#include "crypto/hash.h"

namespace planetserve::exchange {

namespace {

// Different (n, k, size) that cloves of one record may claim before the rest are refused: one true, the others forged.
constexpr std::size_t maximum_claims_of_record = 8;
// Places for cloves of each claim, in times its n.
constexpr std::size_t places_in_n = 2;
// What it costs to keep a clove or a record, besides its bytes.
constexpr std::size_t keeping_cost = 256;

// Given out as complete, records this far behind the newest are waited for no longer.
constexpr std::uint64_t superfluous_after = 32;

MessageId message_id(RecordKind kind, std::uint64_t number) {
    MessageId id;
    id.value[0] = static_cast<std::uint8_t>(kind);
    store_big_endian(MutableByteView(id.value).subspan(8), number);
    return id;
}

// The shares of one record, the same each time: HKDF of a seed that is drawn for it.
class ShareSource final : public Random {
public:
    explicit ShareSource(const crypto::SymmetricKey& seed) : seed_(seed) {}
    void fill(MutableByteView out) override {
        crypto::hkdf_sha256({}, seed_.bytes(), "planetserve shares " + std::to_string(count_++), out);
    }

private:
    crypto::SymmetricKey seed_;
    int count_ = 0;
};

}  // namespace

std::vector<Bytes> RecordSender::add(ByteView record, Random& random) {
    REQUIRES(record.size() <= maximum_record);
    Kept kept{to_bytes(record), {}};
    kept.padded.resize(padded_size(record.size()));
    random.fill(kept.seed.bytes());
    auto cloves = cloves_of(kept, next());
    kept_bytes_ += kept.padded.size() + keeping_cost;
    kept_.push_back(std::move(kept));
    return cloves;
}

std::vector<Bytes> RecordSender::cloves_of(const Kept& kept, std::uint64_t number) const {
    ShareSource shares(kept.seed);
    auto cloves = dispersal::split(kept.padded, threshold_, message_id(kind_, number), binding_.bytes(), shares);
    REQUIRES(cloves.has_value());  // the threshold is valid
    return std::move(*cloves);
}

Bytes RecordSender::clove(std::uint64_t number, std::size_t lane) const {
    REQUIRES(number >= first_ && number < next() && lane < threshold_.n);
    const Kept& kept = kept_[number - first_];
    ShareSource shares(kept.seed);
    auto clove = dispersal::split_one(kept.padded, threshold_, static_cast<std::uint8_t>(lane),
                                      message_id(kind_, number), binding_.bytes(), shares);
    REQUIRES(clove.has_value());  // the threshold is valid
    return std::move(*clove);
}

void RecordSender::acknowledge(std::uint64_t records) {
    while (!kept_.empty() && first_ < records) {
        kept_bytes_ -= kept_.front().padded.size() + keeping_cost;
        kept_.pop_front();
        ++first_;
    }
}

Result<RecordReceiver::Progress> RecordReceiver::add(const Source& source, ByteView clove, std::size_t most) {
    Progress progress;
    const bool known = threshold_.has_value();
    if (auto added = add_to(progress, source, clove, most); !added) return std::unexpected(added.error());
    if (known || !threshold_) return progress;
    Progress later = catch_up();
    std::ranges::move(later.records, std::back_inserter(progress.records));
    std::ranges::move(later.corrupt, std::back_inserter(progress.corrupt));
    return progress;
}

RecordReceiver::Progress RecordReceiver::catch_up() {
    Progress progress;
    for (const Waiting& one : std::exchange(waiting_, {})) {
        note_released(one.source, one.clove.size() + keeping_cost);
        (void)add_to(progress, one.source, one.clove, one.most);
    }
    return progress;
}

Status RecordReceiver::add_to(Progress& progress, const Source& source, ByteView clove, std::size_t most) {
    auto parsed = dispersal::parse_clove(clove, limits_.maximum_size);
    if (!parsed) return std::unexpected(parsed.error());
    std::uint64_t number = load_big_endian<std::uint64_t>(ByteView(parsed->message.value).subspan(8));
    if (parsed->message != message_id(kind_, number))
        return fail(ErrorCode::malformed, "a clove of another kind of record");
    if (threshold_ && (parsed->n != threshold_->n || parsed->k != threshold_->k))
        return fail(ErrorCode::malformed, "a clove of another threshold than its exchange's");
    if (!dispersal::acceptable({parsed->n, parsed->k}))
        return fail(ErrorCode::malformed, "a clove of a threshold that nodes do not take");
    if (number < next_) return {};
    if (number - next_ >= limits_.window)
        return fail(ErrorCode::exhausted, "a clove too far ahead of the records received");
    if (auto known = assemblies_.find(number); known != assemblies_.end() && known->second.complete) return {};
    const std::size_t cost = clove.size() + keeping_cost;
    if (auto room = check_room(source, cost); !room) return room;
    if (!threshold_ && (order_ == Order::as_complete || number != next_)) {
        waiting_.push_back({source, to_bytes(clove), most});
        note_held(source, cost);
        return {};
    }
    if (!threshold_) most = std::min<std::size_t>(most, parsed->k);

    Assembly& assembly = assemblies_[number];
    auto claim = claim_for(assembly, source, *parsed, most);
    if (!claim) return std::unexpected(claim.error());
    Claim& chosen = **claim;
    auto added = chosen.collector.add(clove);
    if (!added) {
        if (added.error().code == ErrorCode::already_exists) return {};
        if (chosen.collector.failed()) {  // clears the way for cloves sent again over other lanes
            release(chosen);
            assembly.claims.erase(parsed->dispersed());
        }
        return std::unexpected(added.error());
    }
    chosen.sources.push_back(source);
    chosen.clove_cost = cost;
    note_held(source, cost);
    if (*added == dispersal::Progress::needs_more) return {};
    if (!threshold_) threshold_ = dispersal::Threshold{parsed->n, parsed->k};
    complete(assembly, chosen, progress);
    give_out(number, progress);
    return {};
}

void RecordReceiver::note_held(const Source& source, std::size_t cost) {
    held_bytes_ += cost;
    held_of_[source] += cost;
}

void RecordReceiver::note_released(const Source& source, std::size_t cost) {
    held_bytes_ -= cost;
    auto held = held_of_.find(source);
    held->second -= cost;
    if (held->second == 0) held_of_.erase(held);
}

Status RecordReceiver::check_room(const Source& source, std::size_t cost) const {
    auto held = held_of_.find(source);
    if (held_bytes_ + cost > limits_.maximum_held ||
        (held != held_of_.end() && held->second + cost > limits_.maximum_held_of_source))
        return fail(ErrorCode::exhausted, "more cloves of incomplete records than may be held");
    return {};
}

Result<RecordReceiver::Claim*> RecordReceiver::claim_for(Assembly& assembly, const Source& source,
                                                         const dispersal::CloveView& clove, std::size_t most) {
    const auto key = clove.dispersed();
    most = std::min<std::size_t>(most, clove.n);
    for (const auto& [other, claim] : assembly.claims) {
        auto brought = static_cast<std::size_t>(std::ranges::count(claim.sources, source));
        if (brought > 0 && (brought >= most || other != key))
            return fail(ErrorCode::exhausted, "a source's second clove of one record");
    }
    auto found = assembly.claims.find(key);
    if (found == assembly.claims.end()) {
        if (assembly.claims.size() >= maximum_claims_of_record)
            return fail(ErrorCode::exhausted, "too many different claims about one record");
        dispersal::Collector collector(binding_.bytes(), limits_.maximum_size, places_in_n, limits_.tries);
        found = assembly.claims.emplace(key, Claim{std::move(collector), {}, 0}).first;
    }
    return &found->second;
}

void RecordReceiver::drop_held() {
    assemblies_.clear();
    waiting_.clear();
    held_of_.clear();
    held_bytes_ = 0;
}

void RecordReceiver::release(const Claim& claim) {
    for (const Source& source : claim.sources) note_released(source, claim.clove_cost);
}

void RecordReceiver::release(const Assembly& assembly) {
    for (const auto& [key, claim] : assembly.claims) release(claim);
}

void RecordReceiver::complete(Assembly& assembly, Claim& claim, Progress& progress) {
    progress.opened = true;
    for (std::size_t place : claim.collector.wrong_places()) progress.corrupt.push_back(claim.sources[place]);
    // A record has one size and one threshold.
    for (const auto& [key, other] : assembly.claims)
        if (&other != &claim)
            progress.corrupt.insert(progress.corrupt.end(), other.sources.begin(), other.sources.end());
    assembly.record = claim.collector.take_message();
    assembly.complete = true;
    release(assembly);
    assembly.claims.clear();
    held_bytes_ += assembly.record.size() + keeping_cost;
}

void RecordReceiver::give_out(std::uint64_t number, Progress& progress) {
    auto take = [&](Assembly& assembly) {
        held_bytes_ -= assembly.record.size() + keeping_cost;
        progress.records.push_back(std::move(assembly.record));
        assembly.record.clear();
    };
    if (order_ == Order::in_order) {
        for (auto first = assemblies_.begin();
             first != assemblies_.end() && first->first == next_ && first->second.complete;
             first = assemblies_.erase(first), ++next_)
            take(first->second);
        return;
    }
    take(assemblies_.at(number));
    if (number >= superfluous_after) next_ = std::max(next_, number - superfluous_after);
    for (auto first = assemblies_.begin(); first != assemblies_.end() && first->first < next_;
         first = assemblies_.erase(first))
        release(first->second);
}

}  // namespace planetserve::exchange
