#include "exchange/messages.h"

#include <algorithm>

#include "dispersal/clove.h"
#include "exchange/exchange.pb.h"

namespace planetserve::exchange {

namespace {

constexpr std::size_t maximum_headers = 32;
constexpr std::size_t maximum_text = 1024;
constexpr std::size_t maximum_error_text = 4096;
// Tags and sizes of an encoded header, at most.
constexpr std::size_t header_cost = 16;

std::string text_of(ByteView bytes) { return to_string(bytes); }

template <typename Message>
Bytes serialise(const Message& message) {
    Bytes bytes(message.ByteSizeLong());
    message.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

template <typename Message>
Result<Message> deserialise(ByteView bytes, const char* what) {
    Message message;
    if (bytes.size() > (1 << 16) || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return fail(ErrorCode::malformed, std::string(what) + " does not parse");
    return message;
}

Status check_text(const std::string& text, const char* what) {
    bool printable = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
    if (text.size() > maximum_text || !printable)
        return fail(ErrorCode::malformed, std::string(what) + " is over 1,024 characters or has control characters");
    return {};
}

void fill(proto::Lane& to, const Lane& lane) {
    to.set_proxy(text_of(lane.proxy.bytes()));
    to.set_handle(text_of(lane.handle.bytes()));
}

Result<Lane> lane_of(const proto::Lane& from) {
    auto proxy = NodeId::from(as_bytes(from.proxy()));
    auto handle = ReplyHandle::from(as_bytes(from.handle()));
    if (!proxy || !handle) return fail(ErrorCode::malformed, "a lane whose proxy or handle has the wrong size");
    return Lane{*proxy, *handle};
}

}  // namespace

void append_item(Bytes& record, ItemKind kind, ByteView content) {
    ByteWriter writer(record);
    writer.u32(static_cast<std::uint32_t>(kind) << 24 | static_cast<std::uint32_t>(content.size()));
    writer.bytes(content);
}

Result<std::vector<Item>> parse_items(ByteView record) {
    std::vector<Item> items;
    ByteReader reader(record);
    while (reader.remaining() > 0) {
        if (record[record.size() - reader.remaining()] == 0) {
            ByteView padding = reader.rest();
            if (std::ranges::all_of(padding, [](std::uint8_t byte) { return byte == 0; })) break;
            return fail(ErrorCode::malformed, "a record whose padding is not all zeros");
        }
        std::uint32_t header = reader.u32();
        std::uint32_t kind = header >> 24;
        if (kind < static_cast<std::uint32_t>(ItemKind::request_head) ||
            kind > static_cast<std::uint32_t>(ItemKind::heartbeat))
            return fail(ErrorCode::malformed, "a record with an item of unknown kind " + std::to_string(kind));
        ByteView content = reader.bytes(header & 0xffffff);
        if (!reader.ok()) return fail(ErrorCode::malformed, "a record whose items are longer than it");
        items.push_back({static_cast<ItemKind>(kind), content});
    }
    return items;
}

Status check_head(const inference::Request& request) {
    const std::pair<const std::string*, const char*> texts[] = {{&request.method, "the request's method"},
                                                                {&request.path, "the request's path"},
                                                                {&request.content_type, "the request's content type"},
                                                                {&request.model, "the model's name"}};
    for (const auto& [text, what] : texts)
        if (auto checked = check_text(*text, what); !checked)
            return fail(ErrorCode::invalid_argument, checked.error().message);
    return {};
}

Bytes encode(const RequestHead& head) {
    proto::RequestHead message;
    message.set_idempotency_id(text_of(head.id.bytes()));
    message.set_method(head.method);
    message.set_path(head.path);
    message.set_content_type(head.content_type);
    message.set_model(head.model);
    message.set_body_size(head.body_size);
    for (const Lane& lane : head.lanes) fill(*message.add_lanes(), lane);
    message.set_k(head.k);
    message.set_continues(head.continues);
    message.set_owner(text_of(head.owner.bytes()));
    message.set_signature(text_of(head.signature.bytes()));
    if (head.via) message.set_via(text_of(head.via->bytes()));
    if (head.returns) message.set_returns(text_of(head.returns->bytes()));
    return serialise(message);
}

Result<RequestHead> parse_request_head(ByteView bytes) {
    auto message = deserialise<proto::RequestHead>(bytes, "a request head");
    if (!message) return std::unexpected(message.error());
    RequestHead head;
    auto id = IdempotencyId::from(as_bytes(message->idempotency_id()));
    if (!id) return fail(ErrorCode::malformed, "a request whose idempotency id is not 16 bytes");
    head.id = *id;
    head.method = message->method();
    head.path = message->path();
    head.content_type = message->content_type();
    head.model = message->model();
    head.body_size = message->body_size();
    for (const std::string* text : {&head.method, &head.path, &head.content_type, &head.model})
        if (auto checked = check_text(*text, "a text of a request head"); !checked)
            return std::unexpected(checked.error());
    auto lanes = static_cast<std::size_t>(message->lanes_size());
    if (lanes > dispersal::maximum_cloves || message->k() > dispersal::maximum_cloves ||
        !dispersal::acceptable({static_cast<std::uint8_t>(lanes), static_cast<std::uint8_t>(message->k())}))
        return fail(ErrorCode::malformed, "a request with " + std::to_string(lanes) + " lanes of which " +
                                              std::to_string(message->k()) + " are needed");
    head.k = static_cast<std::uint8_t>(message->k());
    head.continues = message->continues();
    // A user node of an older version sends neither: the check of the signature refuses it with a word.
    head.owner = OwnerKey::from(as_bytes(message->owner())).value_or(OwnerKey{});
    head.signature = crypto::Signature::from(as_bytes(message->signature())).value_or(crypto::Signature{});
    head.via = NodeId::from(as_bytes(message->via()));
    head.returns = IdempotencyId::from(as_bytes(message->returns()));
    for (const auto& from : message->lanes()) {
        auto lane = lane_of(from);
        if (!lane) return std::unexpected(lane.error());
        head.lanes.push_back(*lane);
    }
    return head;
}

Bytes encode(const inference::ReplyHead& head) {
    proto::ReplyHead message;
    message.set_status(head.status);
    std::size_t size = header_cost;  // of the status
    for (const auto& [name, value] : head.headers) {
        if (static_cast<std::size_t>(message.headers_size()) == maximum_headers) break;
        size += name.size() + value.size() + header_cost;
        if (size > maximum_reply_head || !check_text(name, "") || !check_text(value, "")) {
            size -= name.size() + value.size() + header_cost;
            continue;
        }
        auto* header = message.add_headers();
        header->set_name(name);
        header->set_value(value);
    }
    return serialise(message);
}

Result<inference::ReplyHead> parse_reply_head(ByteView bytes) {
    auto message = deserialise<proto::ReplyHead>(bytes, "a reply head");
    if (!message) return std::unexpected(message.error());
    if (message->status() < 200 || message->status() > 599)
        return fail(ErrorCode::malformed, "a reply with status " + std::to_string(message->status()));
    if (static_cast<std::size_t>(message->headers_size()) > maximum_headers)
        return fail(ErrorCode::malformed, "a reply with more than 32 headers");
    inference::ReplyHead head{message->status(), {}};
    for (const auto& header : message->headers()) {
        if (auto checked = check_text(header.name(), "a header's name"); !checked)
            return std::unexpected(checked.error());
        if (auto checked = check_text(header.value(), "a header's value"); !checked)
            return std::unexpected(checked.error());
        head.headers.emplace_back(header.name(), header.value());
    }
    return head;
}

Bytes encode(const Error& error) {
    proto::ReplyError message;
    message.set_code(static_cast<std::uint32_t>(error.code));
    message.set_message(error.message.substr(0, maximum_error_text));
    return serialise(message);
}

Result<Error> parse_error(ByteView bytes) {
    auto message = deserialise<proto::ReplyError>(bytes, "an error");
    if (!message) return std::unexpected(message.error());
    if (message->code() > static_cast<std::uint32_t>(ErrorCode::internal) ||
        message->message().size() > maximum_error_text)
        return fail(ErrorCode::malformed, "an error outside its limits");
    return Error{static_cast<ErrorCode>(message->code()), message->message()};
}

Bytes encode(const Control& control) {
    proto::Control message;
    message.set_records(control.records);
    message.set_consumed(control.consumed);
    message.set_cancel(control.cancel);
    for (const LaneChange& change : control.changes) {
        auto* to = message.add_changes();
        to->set_index(change.index);
        fill(*to->mutable_lane(), change.lane);
    }
    return serialise(message);
}

Result<Control> parse_control(ByteView bytes) {
    auto message = deserialise<proto::Control>(bytes, "a control message");
    if (!message) return std::unexpected(message.error());
    Control control{message->records(), message->consumed(), message->cancel(), {}};
    if (static_cast<std::size_t>(message->changes_size()) > dispersal::largest_n)
        return fail(ErrorCode::malformed, "a control message with more than 8 changes");
    for (const auto& change : message->changes()) {
        auto lane = lane_of(change.lane());
        if (!lane) return std::unexpected(lane.error());
        if (change.index() >= dispersal::largest_n)
            return fail(ErrorCode::malformed, "a change of a lane that cannot be");
        control.changes.push_back({static_cast<std::uint8_t>(change.index()), *lane});
    }
    return control;
}

}  // namespace planetserve::exchange
