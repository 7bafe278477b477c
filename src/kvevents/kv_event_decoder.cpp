#include "kvevents/kv_event_decoder.h"

#include <algorithm>
#include <array>
#include <string>

#include "kvevents/msgpack_reader.h"

namespace planetserve::kvevents {

namespace {

using Kind = MsgpackReader::Kind;
using routing::BlockHash;

constexpr std::size_t largest_hash = 64;  // bytes

// In the order of the lists.
constexpr std::array<std::string_view, 10> stored_fields{
    "block_hashes", "parent_block_hash", "token_ids",  "block_size", "lora_id",
    "medium",       "lora_name",         "extra_keys", "group_idx",  "kv_cache_spec_kind"};
constexpr std::array<std::string_view, 3> removed_fields{"block_hashes", "medium", "group_idx"};
// How many fields a list must have.
constexpr std::size_t stored_required = 4;
constexpr std::size_t removed_required = 1;

// How an event is written.
enum class Form : std::uint8_t { list, map };

// As an integer, vLLM sends the last 64 bits of the hash's bytes, so both forms give the same value.
bool read_hash(MsgpackReader& in, BlockHash& hash) {
    if (in.next() == Kind::integer) {
        hash.value = *in.integer();
        return true;
    }
    auto bytes = in.binary();
    if (!bytes || bytes->empty() || bytes->size() > largest_hash) return false;
    hash.value = 0;
    for (std::uint8_t byte : bytes->last(std::min<std::size_t>(bytes->size(), 8))) hash.value = hash.value << 8 | byte;
    return true;
}

bool read_hashes(MsgpackReader& in, std::vector<BlockHash>& hashes) {
    auto count = in.list();
    if (!count) return false;
    hashes.resize(*count);
    return std::ranges::all_of(hashes, [&](BlockHash& hash) { return read_hash(in, hash); });
}

bool read_number(MsgpackReader& in, std::uint32_t& value) {
    auto number = in.integer();
    if (!number || *number > 0xffffffff) return false;
    value = static_cast<std::uint32_t>(*number);
    return true;
}

bool read_tokens(MsgpackReader& in, std::vector<std::uint32_t>& tokens) {
    auto count = in.list();
    if (!count) return false;
    tokens.resize(*count);
    return std::ranges::all_of(tokens, [&](std::uint32_t& token) { return read_number(in, token); });
}

// Reads a number of 32 bits; nil leaves the value unchanged.
bool read_small(MsgpackReader& in, std::uint32_t& value) {
    return in.next() == Kind::nil ? in.nil() : read_number(in, value);
}

bool read_medium(MsgpackReader& in, routing::Medium& medium) {
    if (in.next() == Kind::nil) return in.nil();
    auto name = in.text();
    if (!name) return false;
    if (*name == "GPU" || *name == "gpu")
        medium = routing::Medium::gpu;
    else if (*name == "CPU" || *name == "cpu")
        medium = routing::Medium::cpu;
    else
        medium = routing::Medium::other;
    return true;
}

// Nil, or a list with one entry a block. If all are nil, the blocks depend on the tokens alone.
bool read_extra_keys(MsgpackReader& in, bool& plain) {
    if (in.next() != Kind::list) {
        plain = plain && in.next() == Kind::nil;
        return in.skip();
    }
    auto count = in.list();
    if (!count) return false;
    for (std::size_t i = 0; i < *count; ++i) {
        plain = plain && in.next() == Kind::nil;
        if (!in.skip()) return false;
    }
    return true;
}

bool read_kind(MsgpackReader& in, bool& whole_prefix) {
    if (in.next() == Kind::nil) return in.nil();
    auto kind = in.text();
    if (!kind) return false;
    whole_prefix = *kind == "full_attention" || *kind == "mla_attention" || *kind == "sink_full_attention";
    return true;
}

// Returns false if the field cannot have this value.
bool read_field(std::string_view name, MsgpackReader& in, routing::BlocksStored& event) {
    if (name == "block_hashes") return read_hashes(in, event.hashes);
    if (name == "parent_block_hash") {
        if (in.next() == Kind::nil) return in.nil();
        return read_hash(in, event.parent.emplace());
    }
    if (name == "token_ids") return in.next() == Kind::nil ? in.nil() : read_tokens(in, event.tokens);
    if (name == "block_size") return read_small(in, event.block_size);
    if (name == "lora_id" || name == "lora_name") {
        event.plain = event.plain && in.next() == Kind::nil;
        return in.skip();
    }
    if (name == "medium") return read_medium(in, event.medium);
    if (name == "extra_keys") return read_extra_keys(in, event.plain);
    if (name == "group_idx") return read_small(in, event.group);
    if (name == "kv_cache_spec_kind") return read_kind(in, event.whole_prefix);
    return in.skip();
}

bool read_field(std::string_view name, MsgpackReader& in, routing::BlocksRemoved& event) {
    if (name == "block_hashes") return read_hashes(in, event.hashes);
    if (name == "medium") return read_medium(in, event.medium);
    if (name == "group_idx") return read_small(in, event.group);
    return in.skip();
}

bool read_field(std::string_view, MsgpackReader& in, routing::CacheCleared&) { return in.skip(); }

// Reads the fields of an event: the values after the name in a list, or all pairs of a map.
template <typename Event>
bool read_event(MsgpackReader& in, Form form, std::size_t count, std::span<const std::string_view> order,
                std::size_t required, Event& event) {
    if (form == Form::list && count < required) return false;
    std::size_t hashes = 0;
    for (std::size_t i = 0; i < count; ++i) {
        std::string_view name = i < order.size() ? order[i] : "";
        if (form == Form::map) {
            auto key = in.text();
            if (!key) return false;
            name = *key;
        }
        hashes += name == "block_hashes" ? 1 : 0;
        if (!read_field(name, in, event)) return false;
    }
    return required == 0 || hashes == 1;
}

// The value of "type" in a map whose head was read. Takes a copy of the reader, so that the caller's stays in place.
std::string_view type_of(MsgpackReader in, std::size_t pairs) {
    for (std::size_t i = 0; i < pairs; ++i) {
        auto key = in.text();
        if (!key) return {};
        if (*key == "type") return in.text().value_or("");
        if (!in.skip()) return {};
    }
    return {};
}

bool read_event(MsgpackReader& in, KvEventBatch& batch) {
    const Form form = in.next() == Kind::map ? Form::map : Form::list;
    auto count = form == Form::map ? in.map() : in.list();
    if (!count) return false;
    std::string_view type;
    std::size_t left = *count;
    if (form == Form::map) {
        type = type_of(in, *count);
    } else {
        auto name = left > 0 ? in.text() : std::nullopt;
        if (!name) return false;
        type = *name;
        --left;
    }
    if (type.empty()) return false;
    if (type == "BlockStored") {
        routing::BlocksStored event;
        if (!read_event(in, form, left, stored_fields, stored_required, event)) return false;
        batch.events.push_back(std::move(event));
    } else if (type == "BlockRemoved") {
        routing::BlocksRemoved event;
        if (!read_event(in, form, left, removed_fields, removed_required, event)) return false;
        batch.events.push_back(std::move(event));
    } else {
        routing::CacheCleared event;
        if (!read_event(in, form, left, {}, 0, event)) return false;
        if (type == "AllBlocksCleared")
            batch.events.push_back(event);
        else
            ++batch.unknown;
    }
    return true;
}

Status read_events(MsgpackReader& in, KvEventBatch& batch) {
    auto count = in.list();
    if (!count) return fail(ErrorCode::malformed, "the batch has no list of events");
    if (*count > kv_batch_event_limit) return fail(ErrorCode::exhausted, "the batch has too many events");
    for (std::size_t i = 0; i < *count; ++i)
        if (!read_event(in, batch))
            return fail(ErrorCode::malformed, "event " + std::to_string(i + 1) + " of the batch cannot be read");
    return {};
}

}  // namespace

Result<KvEventBatch> decode_kv_events(ByteView payload) {
    if (payload.size() > kv_batch_limit) return fail(ErrorCode::exhausted, "the batch is too large");
    MsgpackReader in(payload);
    KvEventBatch batch;
    const bool is_map = in.next() == Kind::map;
    auto count = is_map ? in.map() : in.list();
    if (!count) return fail(ErrorCode::malformed, "the batch is neither a list nor a map");
    bool seen = false;
    for (std::size_t i = 0; i < *count; ++i) {
        std::string_view name = i == 1 ? "events" : "";
        if (is_map) name = in.text().value_or("");
        if (name == "events" && !std::exchange(seen, true)) {
            if (Status read = read_events(in, batch); !read) return std::unexpected(read.error());
        } else if (!in.skip()) {
            return fail(ErrorCode::malformed, "the batch is cut off");
        }
    }
    if (!seen || !in.at_end()) return fail(ErrorCode::malformed, "the batch has no events, or something behind them");
    return batch;
}

}  // namespace planetserve::kvevents
