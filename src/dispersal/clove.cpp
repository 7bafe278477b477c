#include "dispersal/clove.h"

#include <algorithm>

namespace planetserve::dispersal {

Status Threshold::validate() const {
    if (k >= 1 && k <= n && n <= maximum_cloves) return {};
    return fail(ErrorCode::invalid_argument, "threshold k = " + std::to_string(k) + " of n = " + std::to_string(n) +
                                                 " cloves: 1 <= k <= n <= " + std::to_string(maximum_cloves) +
                                                 " is needed");
}

Result<CloveView> parse_clove(ByteView encoded, std::size_t maximum_message) {
    if (encoded.size() < clove_overhead)
        return fail(ErrorCode::malformed, "clove of " + std::to_string(encoded.size()) + " bytes: the shortest has " +
                                              std::to_string(clove_overhead + 1));
    ByteReader reader(encoded);
    if (std::uint8_t version = reader.u8(); version != clove_version)
        return fail(ErrorCode::malformed, "clove of version " + std::to_string(version) + ": only version " +
                                              std::to_string(clove_version) + " is known");
    CloveView clove;
    clove.n = reader.u8();
    clove.k = reader.u8();
    clove.index = reader.u8();
    clove.message_size = reader.u32();
    clove.message = MessageId{reader.array<MessageId::size>()};
    clove.share = reader.bytes(share_size);
    clove.fragment = reader.rest();
    if (Status threshold = Threshold{clove.n, clove.k}.validate(); !threshold)
        return fail(ErrorCode::malformed, "clove with " + threshold.error().message);
    if (clove.index >= clove.n)
        return fail(ErrorCode::malformed,
                    "clove index " + std::to_string(clove.index) + " of " + std::to_string(clove.n) + " cloves");
    if (clove.message_size > std::min(maximum_message, largest_message))
        return fail(ErrorCode::invalid_argument, "clove of a message of " + std::to_string(clove.message_size) +
                                                     " bytes: the limit is " + std::to_string(maximum_message));
    if (std::size_t expected = fragment_size(clove.message_size, clove.k); clove.fragment.size() != expected)
        return fail(ErrorCode::malformed, "clove with a fragment of " + std::to_string(clove.fragment.size()) +
                                              " bytes: its message size and k make it " + std::to_string(expected));
    return clove;
}

void append_clove_header(Bytes& out, const DispersedMessage& message, std::uint8_t index) {
    std::array<std::uint8_t, clove_header_size> header{clove_version, message.threshold.n, message.threshold.k, index};
    store_big_endian(MutableByteView(header).subspan(4), message.size);
    std::copy(message.id.value.begin(), message.id.value.end(), header.begin() + 8);
    append(out, header);
}

}  // namespace planetserve::dispersal
