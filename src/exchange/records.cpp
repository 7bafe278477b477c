#include "exchange/records.h"

#include <algorithm>
#include <stdexcept>

namespace planetserve::exchange {

namespace {

// Different (n, k, size) that cloves of one record may claim before the rest are refused: one true, the others forged.
constexpr std::size_t maximum_variants = 4;

// Given out as complete, records this far behind the newest are waited for no longer.
constexpr std::uint64_t superfluous_after = 32;

MessageId message_id(RecordKind kind, std::uint64_t number) {
    MessageId id;
    id.value[0] = static_cast<std::uint8_t>(kind);
    store_big_endian(MutableByteView(id.value).subspan(8), number);
    return id;
}

}  // namespace

const std::vector<Bytes>& RecordSender::add(ByteView record, Random& random) {
    if (record.size() > maximum_record) throw std::logic_error("a record over its maximum");
    auto cloves = dispersal::split(record, threshold_, message_id(kind_, next()), binding_.bytes(), random);
    if (!cloves) throw std::logic_error("records: " + cloves.error().message);
    return kept_.emplace_back(std::move(*cloves));
}

void RecordSender::acknowledge(std::uint64_t records) {
    while (!kept_.empty() && first_ < records) {
        kept_.pop_front();
        ++first_;
    }
}

Result<RecordReceiver::Progress> RecordReceiver::add(ByteView clove) {
    auto parsed = dispersal::parse_clove(clove, maximum_record);
    if (!parsed) return std::unexpected(parsed.error());
    std::uint64_t number = load_big_endian<std::uint64_t>(ByteView(parsed->message.value).subspan(8));
    if (parsed->message != message_id(kind_, number))
        return fail(ErrorCode::malformed, "a clove of another kind of record");
    if (threshold_ && (parsed->n != threshold_->n || parsed->k != threshold_->k))
        return fail(ErrorCode::malformed, "a clove of another threshold than its exchange's");
    Progress progress;
    if (number < next_) return progress;
    if (number - next_ >= record_window)
        return fail(ErrorCode::exhausted, "a clove too far ahead of the records received");

    Assembly& assembly = assemblies_[number];
    if (assembly.complete) return progress;
    auto key = parsed->dispersed();
    auto variant = assembly.variants.find(key);
    if (variant == assembly.variants.end()) {
        if (assembly.variants.size() >= maximum_variants)
            return fail(ErrorCode::exhausted, "too many different claims about one record");
        variant = assembly.variants.emplace(key, dispersal::Collector(binding_.bytes(), maximum_record)).first;
    }
    auto added = variant->second.add(clove);
    if (!added) {
        if (added.error().code == ErrorCode::already_exists) return progress;
        if (variant->second.failed()) {  // clears the way for cloves sent again over other lanes
            held_bytes_ -= std::min(held_bytes_, variant->second.held_bytes());
            assembly.variants.erase(variant);
        }
        return std::unexpected(added.error());
    }
    held_bytes_ += clove.size();
    if (*added == dispersal::Progress::needs_more) return progress;

    if (!threshold_) threshold_ = key.threshold;
    progress.corrupt = variant->second.corrupt();
    assembly.record = variant->second.take_message();
    assembly.complete = true;
    for (auto& [other, collector] : assembly.variants) held_bytes_ -= std::min(held_bytes_, collector.held_bytes());
    assembly.variants.clear();
    held_bytes_ += assembly.record.size();
    give_out(number, progress);
    return progress;
}

void RecordReceiver::give_out(std::uint64_t number, Progress& progress) {
    auto take = [&](Assembly& assembly) {
        held_bytes_ -= std::min(held_bytes_, assembly.record.size());
        progress.records.push_back(std::move(assembly.record));
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
        for (auto& [other, collector] : first->second.variants)
            held_bytes_ -= std::min(held_bytes_, collector.held_bytes());
}

}  // namespace planetserve::exchange
