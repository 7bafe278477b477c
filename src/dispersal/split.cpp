#include "dispersal/split.h"

#include <algorithm>

#include "base/requires.h"
#include "crypto/cipher.h"
#include "dispersal/key.h"
#include "dispersal/polynomial.h"

namespace planetserve::dispersal {

namespace {

// Puts the ciphertext and its tag, cut into k fragments and padded with zeros, into the first k cloves.
class Fragments {
public:
    Fragments(std::span<Bytes> cloves, std::size_t fragment)
        : cloves_(cloves), clove_size_(clove_overhead + fragment) {}

    void put(ByteView sealed) {
        while (!sealed.empty()) {
            Bytes& clove = cloves_[at_];
            ByteView part = sealed.first(std::min(sealed.size(), clove_size_ - clove.size()));
            append(clove, part);
            sealed = sealed.subspan(part.size());
            if (clove.size() == clove_size_) ++at_;
        }
    }
    void pad() {
        for (Bytes& clove : cloves_) clove.resize(clove_size_);
    }

private:
    std::span<Bytes> cloves_;
    std::size_t clove_size_;
    std::size_t at_ = 0;
};

void seal_into(Fragments fragments, ByteView message, const SharedKey& shared, const crypto::SymmetricKey& key) {
    crypto::Sealer sealer(key, crypto::Nonce{}, shared.shares());
    std::array<std::uint8_t, largest_block> sealed;
    for_each_block(message.size(), [&](std::size_t offset, std::size_t size) {
        sealer.update(message.subspan(offset, size), MutableByteView(sealed).first(size));
        fragments.put(ByteView(sealed).first(size));
    });
    fragments.put(sealer.finish());
    fragments.pad();
}

// Cloves grow by a block at a time, within what is reserved, so that the zeros a vector writes first are still in the
// cache when they are overwritten.
MutableByteView grow(Bytes& clove, std::size_t size) {
    std::size_t at = clove.size();
    clove.resize(at + size);
    return MutableByteView(clove).subspan(at);
}

// Share and fragment of cloves k + row and those after it, in one pass over the first k.
void add_parity(std::span<const Bytes> first, std::span<Bytes> parity, std::size_t body_size, std::size_t row = 0) {
    const SystematicCode& code = SystematicCode::of(static_cast<std::uint8_t>(first.size()));
    for_each_block(body_size, [&](std::size_t offset, std::size_t size) {
        std::array<const std::uint8_t*, maximum_cloves> from;
        std::array<std::uint8_t*, maximum_cloves> to;
        for (std::size_t i = 0; i < first.size(); ++i) from[i] = first[i].data() + clove_header_size + offset;
        for (std::size_t i = 0; i < parity.size(); ++i) to[i] = grow(parity[i], size).data();
        code.encode({from.data(), first.size()}, {to.data(), parity.size()}, size, row);
    });
}

Status check(ByteView message, Threshold threshold) {
    if (Status valid = threshold.validate(); !valid) return valid;
    if (message.size() <= largest_message) return {};
    return fail(ErrorCode::invalid_argument, "message of " + std::to_string(message.size()) +
                                                 " bytes: the most that can be split is " +
                                                 std::to_string(largest_message));
}

// Bytes of a clove after its header.
std::size_t body_size(const DispersedMessage& dispersed) {
    return share_size + fragment_size(dispersed.size, dispersed.threshold.k);
}

void begin_clove(Bytes& clove, const DispersedMessage& dispersed, std::uint8_t index) {
    clove.clear();
    clove.reserve(clove_header_size + body_size(dispersed));
    append_clove_header(clove, dispersed, index);
}

// Share and fragment of the first k cloves, which have their headers.
void fill_first(std::span<Bytes> first, ByteView message, const DispersedMessage& dispersed, ByteView binding,
                Random& random) {
    SharedKey shared = SharedKey::draw(dispersed.threshold.k, random);
    for (std::uint8_t i = 0; i < dispersed.threshold.k; ++i) append(first[i], shared.share(i));
    // The shares are authenticated with the message: whoever finds the tag right has k right shares, and can judge
    // others.
    seal_into({first, body_size(dispersed) - share_size}, message, shared, shared.message_key(dispersed, binding));
}

}  // namespace

Result<std::vector<Bytes>> split(ByteView message, Threshold threshold, const MessageId& id, ByteView binding,
                                 Random& random) {
    std::vector<Bytes> cloves;
    if (Status done = split_into(cloves, message, threshold, id, binding, random); !done)
        return std::unexpected(done.error());
    return cloves;
}

Status split_into(std::vector<Bytes>& cloves, ByteView message, Threshold threshold, const MessageId& id,
                  ByteView binding, Random& random) {
    if (Status valid = check(message, threshold); !valid) return valid;
    const DispersedMessage dispersed{id, threshold, static_cast<std::uint32_t>(message.size())};
    cloves.resize(threshold.n);
    for (std::uint8_t i = 0; i < threshold.n; ++i) begin_clove(cloves[i], dispersed, i);
    std::span<Bytes> first = std::span(cloves).first(threshold.k);
    fill_first(first, message, dispersed, binding, random);
    add_parity(first, std::span(cloves).subspan(threshold.k), body_size(dispersed));
    return {};
}

Result<Bytes> split_one(ByteView message, Threshold threshold, std::uint8_t index, const MessageId& id,
                        ByteView binding, Random& random) {
    if (Status valid = check(message, threshold); !valid) return std::unexpected(valid.error());
    REQUIRES(index < threshold.n);
    const DispersedMessage dispersed{id, threshold, static_cast<std::uint32_t>(message.size())};
    std::vector<Bytes> first(threshold.k);
    for (std::uint8_t i = 0; i < threshold.k; ++i) begin_clove(first[i], dispersed, i);
    fill_first(first, message, dispersed, binding, random);
    if (index < threshold.k) return std::move(first[index]);
    Bytes clove;
    begin_clove(clove, dispersed, index);
    add_parity(first, {&clove, 1}, body_size(dispersed), index - threshold.k);
    return clove;
}

}  // namespace planetserve::dispersal
