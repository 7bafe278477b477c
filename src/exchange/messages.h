// What the records of an exchange say (docs/protocols/requests.md). A record is a sequence of items: kind (1 byte),
// size (3 bytes), content; a byte 0 where a kind should be begins padding, zeros up to the record's end. Small requests
// and replies fit one record.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "crypto/identity.h"
#include "inference/service.h"

namespace planetserve::exchange {

// Where clove i of every reply record goes: a proxy, and the handle under which it knows the user's stream.
struct Lane {
    NodeId proxy;
    ReplyHandle handle;
    bool operator==(const Lane&) const = default;
};

// The public half of the key that signs all exchanges of one request (ownership.h).
using OwnerKey = FixedBytes<struct OwnerKeyTag, 32>;

struct RequestHead {
    IdempotencyId id;
    std::string method;
    std::string path;
    std::string content_type;
    std::string model;
    std::uint64_t body_size = 0;
    std::vector<Lane> lanes;  // n of them
    std::uint8_t k = 0;
    bool continues = false;
    OwnerKey owner{};
    crypto::Signature signature{};
    std::optional<NodeId> via = std::nullopt;  // set by a node that forwards the request: who opened it there
    // The request that the node forwarded and the other one did not answer. Not passed on.
    std::optional<IdempotencyId> returns = std::nullopt;
};

struct LaneChange {
    std::uint8_t index = 0;
    Lane lane;
};

struct Control {
    std::uint64_t records = 0;
    std::uint64_t consumed = 0;
    bool cancel = false;
    std::vector<LaneChange> changes;
};

enum class ItemKind : std::uint8_t {
    request_head = 1,
    body = 2,  // of the request or the reply
    end = 3,
    control = 4,
    accepted = 5,  // the whole request was received
    reply_head = 6,
    error = 7,
    heartbeat = 8,  // still at work, nothing to say
};

struct Item {
    ItemKind kind{};
    ByteView content;
};

inline constexpr std::size_t item_header_size = 4;
// An encoded reply head: half a record, so that an error or the first of the body has room beside it.
inline constexpr std::size_t maximum_reply_head = 8 * 1024;

void append_item(Bytes& record, ItemKind kind, ByteView content);
// The items are views into the record. Refuses unknown kinds, sizes that do not add up, and padding
// other than zeros.
Result<std::vector<Item>> parse_items(ByteView record);

// Whether a request's head can be sent: invalid_argument names the text that cannot.
Status check_head(const inference::Request& request);

// Requires: check_head accepts its texts.
Bytes encode(const RequestHead& head);
// Leaves out headers that are too long, or too many: what is left is at most maximum_reply_head bytes.
Bytes encode(const inference::ReplyHead& head);
Bytes encode(const Error& error);
Bytes encode(const Control& control);
// Each checks every limit: sizes of strings, number of lanes and headers, statuses.
Result<RequestHead> parse_request_head(ByteView bytes);
Result<inference::ReplyHead> parse_reply_head(ByteView bytes);
Result<Error> parse_error(ByteView bytes);
Result<Control> parse_control(ByteView bytes);

}  // namespace planetserve::exchange
