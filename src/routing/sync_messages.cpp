#include "routing/sync_messages.h"

#include <algorithm>

namespace planetserve::routing {

namespace {

enum class Type : std::uint8_t { delta = 1, snapshot_part = 2, repair_request = 3, leave = 4 };
constexpr std::uint8_t has_content = 1;
constexpr std::uint8_t has_array = 2;

std::size_t hash_size(HashWidth width) { return static_cast<std::size_t>(width) / 8; }

struct Writer : ByteWriter {
    Writer(Bytes& out, HashWidth hash_width) : ByteWriter(out), width(hash_width) {}

    void head(Type type, Incarnation incarnation) {
        u8(static_cast<std::uint8_t>(type));
        u8(static_cast<std::uint8_t>(width));
        u64(incarnation);
    }
    void load(const LoadReport& load) {
        for (std::uint32_t value :
             {load.latency_us, load.queued, load.capacity, load.queued_tokens, load.prefill_tokens_per_second})
            u32(value);
    }
    void content(const HrTree::Content& content) {
        u32(static_cast<std::uint32_t>(content.prefixes));
        u64(content.key_sum);
    }
    void stance(const ArrayStance& stance) {
        const ChunkLengths& array = stance.array;
        u32(array.version);
        u8(static_cast<std::uint8_t>(array.lengths.size()));
        for (std::uint32_t length : array.lengths) u32(length);
        u32(array.tail);
        u32(array.maximum_levels);
        u8(static_cast<std::uint8_t>(stance.votes.size()));
        for (std::uint32_t vote : stance.votes) u32(vote);
    }
    void changes(const std::vector<PathChange>& changes) {
        u16(static_cast<std::uint16_t>(changes.size()));
        for (const PathChange& change : changes) {
            u8(static_cast<std::uint8_t>(change.kind));
            u64(change.parent.value);
            u16(static_cast<std::uint16_t>(change.hashes.size()));
            for (ChunkHash hash : change.hashes) switch (width) {
                    case HashWidth::bits8:
                        u8(static_cast<std::uint8_t>(hash));
                        break;
                    case HashWidth::bits16:
                        u16(static_cast<std::uint16_t>(hash));
                        break;
                    case HashWidth::bits32:
                        u32(hash);
                        break;
                }
        }
    }

    HashWidth width;
};

struct Reader : ByteReader {
    Reader(ByteView in, HashWidth hash_width) : ByteReader(in), width(hash_width) {}

    LoadReport load() {
        LoadReport load;
        for (std::uint32_t* value :
             {&load.latency_us, &load.queued, &load.capacity, &load.queued_tokens, &load.prefill_tokens_per_second})
            *value = u32();
        return load;
    }
    HrTree::Content content() {
        HrTree::Content content;
        content.prefixes = u32();
        content.key_sum = u64();
        return content;
    }
    std::vector<std::uint32_t> lengths(std::size_t most) {
        std::vector<std::uint32_t> lengths;
        std::size_t count = u8();
        good &= count <= most && count * 4 <= remaining();
        for (std::size_t i = 0; i < count && good; ++i) lengths.push_back(u32());
        return lengths;
    }
    ArrayStance stance() {
        ArrayStance stance;
        ChunkLengths& array = stance.array;
        array.version = u32();
        array.lengths = lengths(ChunkLengths::largest_count);
        array.tail = u32();
        array.maximum_levels = u32();
        good &= array.validate().has_value();
        stance.votes = lengths(maximum_votes);
        std::uint32_t before = 0;
        for (std::uint32_t vote : stance.votes) {
            good &= vote > before && vote <= ChunkLengths::largest_length;
            before = vote;
        }
        return stance;
    }
    std::vector<PathChange> changes(bool insertions_only) {
        std::vector<PathChange> changes;
        std::size_t count = u16();
        for (std::size_t i = 0; i < count && good && ok(); ++i) {
            PathChange change;
            std::uint8_t kind = u8();
            change.kind = static_cast<PathChange::Kind>(kind);
            good &= kind == 1 || (kind == 2 && !insertions_only);
            change.parent.value = u64();
            std::size_t hashes = u16();
            good &= hashes >= 1 && hashes <= ChunkLengths::most_levels && hashes * hash_size(width) <= remaining();
            if (!good) break;
            change.hashes.reserve(hashes);
            for (std::size_t j = 0; j < hashes; ++j)
                change.hashes.push_back(width == HashWidth::bits8 ? u8() : width == HashWidth::bits16 ? u16() : u32());
            changes.push_back(std::move(change));
        }
        return changes;
    }

    HashWidth width;
    bool good = true;
};

}  // namespace

std::size_t encoded_size(const PathChange& change, HashWidth width) {
    return 11 + change.hashes.size() * hash_size(width);
}

Bytes encode(const SyncMessage& message, HashWidth width) {
    Bytes bytes;
    Writer out(bytes, width);
    if (const auto* delta = std::get_if<Delta>(&message)) {
        out.head(Type::delta, delta->incarnation);
        out.u64(delta->sequence);
        out.load(delta->load);
        out.u8(static_cast<std::uint8_t>((delta->content ? has_content : 0) | (delta->array ? has_array : 0)));
        if (delta->content) out.content(*delta->content);
        if (delta->array) out.stance(*delta->array);
        out.changes(delta->changes);
    } else if (const auto* part = std::get_if<SnapshotPart>(&message)) {
        out.head(Type::snapshot_part, part->incarnation);
        out.u64(part->sequence);
        out.u16(part->part);
        out.u16(part->parts);
        out.content(part->content);
        out.u8(part->array ? has_array : 0);
        if (part->array) out.stance(*part->array);
        out.changes(part->changes);
    } else if (const auto* request = std::get_if<RepairRequest>(&message)) {
        out.head(Type::repair_request, request->incarnation);
        out.u64(request->from);
        out.u64(request->snapshot);
        out.u16(request->part);
    } else {
        out.head(Type::leave, std::get<Leave>(message).incarnation);
    }
    return bytes;
}

Result<SyncMessage> parse_sync_message(ByteView bytes, HashWidth width) {
    auto refuse = [](const char* why) { return fail(ErrorCode::malformed, why); };
    if (bytes.size() > maximum_sync_message) return refuse("a sync message that is too long");
    Reader in(bytes, width);
    auto type = static_cast<Type>(in.u8());
    if (in.u8() != static_cast<std::uint8_t>(width)) return refuse("a sync message of another hash width");
    Incarnation incarnation = in.u64();
    SyncMessage message;
    switch (type) {
        case Type::delta: {
            Delta delta{.incarnation = incarnation,
                        .sequence = in.u64(),
                        .load = in.load(),
                        .content = {},
                        .array = {},
                        .changes = {}};
            std::uint8_t flags = in.u8();
            in.good &= flags <= (has_content | has_array) && delta.sequence > 0;
            if (flags & has_content) delta.content = in.content();
            if (flags & has_array) delta.array = in.stance();
            delta.changes = in.changes(false);
            message = std::move(delta);
            break;
        }
        case Type::snapshot_part: {
            SnapshotPart part;
            part.incarnation = incarnation;
            part.sequence = in.u64();
            part.part = in.u16();
            part.parts = in.u16();
            in.good &= part.parts >= 1 && part.parts <= maximum_snapshot_parts && part.part < part.parts;
            part.content = in.content();
            std::uint8_t flags = in.u8();
            in.good &= (flags & ~has_array) == 0;
            if (flags & has_array) part.array = in.stance();
            part.changes = in.changes(true);
            message = std::move(part);
            break;
        }
        case Type::repair_request: {
            RepairRequest request;
            request.incarnation = incarnation;
            request.from = in.u64();
            request.snapshot = in.u64();
            request.part = in.u16();
            message = request;
            break;
        }
        case Type::leave:
            message = Leave{incarnation};
            break;
        default:
            return refuse("a sync message of an unknown type");
    }
    if (!in.good || !in.finished()) return refuse("a sync message that does not parse");
    return message;
}

}  // namespace planetserve::routing
