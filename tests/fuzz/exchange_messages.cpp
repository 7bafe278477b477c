// Records and heads from hostile hands: what parses survives being written again.

#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "exchange/envelope.h"
#include "exchange/messages.h"
#include "fuzz_check.h"

using namespace planetserve;
using namespace planetserve::exchange;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto handler = google::protobuf::SetLogHandler(nullptr);
    (void)handler;
    ByteView input(data, size);
    if (auto items = parse_items(input)) {
        Bytes again;
        for (const Item& item : *items) append_item(again, item.kind, item.content);
        check(again.size() <= size && std::equal(again.begin(), again.end(), input.begin()),
              "items are the record's beginning");
        check(std::all_of(input.begin() + static_cast<std::ptrdiff_t>(again.size()), input.end(),
                          [](std::uint8_t byte) { return byte == 0; }),
              "the rest is padding");
    }
    if (auto head = parse_request_head(input)) {
        auto again = parse_request_head(encode(*head));
        check(again && again->lanes == head->lanes && again->path == head->path && again->k == head->k,
              "a request head survives encoding");
        check(head->lanes.size() <= 32 && head->k <= head->lanes.size() && head->k > 0, "a threshold that can be");
    }
    if (auto head = parse_reply_head(input))
        check(parse_reply_head(encode(*head)).has_value(), "a reply head survives encoding");
    if (auto error = parse_error(input)) check(parse_error(encode(*error)).has_value(), "an error survives encoding");
    if (auto control = parse_control(input))
        check(parse_control(encode(*control)).has_value(), "a control message survives encoding");
    if (auto envelope = parse_envelope(input))
        check(seal_envelope(envelope->kind, envelope->name.bytes(), envelope->clove) == to_bytes(input),
              "an envelope survives");
    return 0;
}
