#include "dispersal/split.h"

#include <algorithm>

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

// Share and fragment of the other n - k cloves, in one pass over the first k.
void add_parity(std::span<const Bytes> first, std::span<Bytes> parity, std::size_t body_size) {
    const SystematicCode& code = SystematicCode::of(static_cast<std::uint8_t>(first.size()));
    for_each_block(body_size, [&](std::size_t offset, std::size_t size) {
        std::array<const std::uint8_t*, maximum_cloves> from;
        std::array<std::uint8_t*, maximum_cloves> to;
        for (std::size_t i = 0; i < first.size(); ++i) from[i] = first[i].data() + clove_header_size + offset;
        for (std::size_t i = 0; i < parity.size(); ++i) to[i] = grow(parity[i], size).data();
        code.encode({from.data(), first.size()}, {to.data(), parity.size()}, size);
    });
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
    if (Status valid = threshold.validate(); !valid) return valid;
    if (message.size() > largest_message)
        return fail(ErrorCode::invalid_argument, "message of " + std::to_string(message.size()) +
                                                     " bytes: the most that can be split is " +
                                                     std::to_string(largest_message));
    const DispersedMessage dispersed{id, threshold, static_cast<std::uint32_t>(message.size())};
    const std::size_t fragment = fragment_size(message.size(), threshold.k);

    SharedKey shared = SharedKey::draw(threshold.k, random);
    cloves.resize(threshold.n);
    for (std::uint8_t i = 0; i < threshold.n; ++i) {
        cloves[i].clear();
        cloves[i].reserve(clove_overhead + fragment);
        append_clove_header(cloves[i], dispersed, i);
        if (i < threshold.k) append(cloves[i], shared.share(i));
    }
    std::span<Bytes> first = std::span(cloves).first(threshold.k);
    // The shares are authenticated with the message: whoever finds the tag right has k right shares, and can judge
    // others.
    seal_into({first, fragment}, message, shared, shared.message_key(dispersed, binding));
    add_parity(first, std::span(cloves).subspan(threshold.k), share_size + fragment);
    return {};
}

}  // namespace planetserve::dispersal
