#include "wire/goodbye.h"

#include "base/words.h"

namespace planetserve::wire {

namespace {

constexpr std::uint8_t first_printable = 0x20;

std::string shown(std::string_view detail) { return printable(detail.substr(0, maximum_goodbye_size - 1)); }

}  // namespace

std::string_view describe(GoodbyeReason reason) {
    switch (reason) {
        case GoodbyeReason::idle:
            return "idle";
        case GoodbyeReason::shutting_down:
            return "shutting down";
        case GoodbyeReason::no_room:
            return "no room for another link";
        case GoodbyeReason::duplicate:
            return "the link in the other direction is kept";
        case GoodbyeReason::other_network:
            return "another network";
        case GoodbyeReason::incompatible_version:
            return "incompatible link version";
        case GoodbyeReason::other:
            break;
    }
    return "another reason";
}

Bytes encode(const Goodbye& goodbye) {
    Bytes payload{static_cast<std::uint8_t>(goodbye.reason)};
    append(payload, as_bytes(shown(goodbye.detail)));
    return payload;
}

Goodbye parse_goodbye(ByteView payload) {
    if (payload.empty()) return {};
    if (payload[0] >= first_printable) return {GoodbyeReason::other, shown(as_text(payload))};
    bool known = payload[0] <= static_cast<std::uint8_t>(GoodbyeReason::incompatible_version);
    return {known ? static_cast<GoodbyeReason>(payload[0]) : GoodbyeReason::other, shown(as_text(payload.subspan(1)))};
}

}  // namespace planetserve::wire
