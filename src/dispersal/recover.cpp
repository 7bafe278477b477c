#include "dispersal/recover.h"

#include <algorithm>
#include <array>

#include "base/requires.h"
#include "crypto/cipher.h"
#include "dispersal/key.h"
#include "dispersal/polynomial.h"

namespace planetserve::dispersal {

namespace {

// k cloves as points and values of the code's polynomials.
struct Values {
    explicit Values(std::span<const CloveView* const> cloves) : count(cloves.size()) {
        for (std::size_t i = 0; i < count; ++i) {
            points[i] = point_of(cloves[i]->index);
            bodies[i] = cloves[i]->body().data();
        }
    }

    Interpolation at(std::uint8_t point) const { return {{points.data(), count}, point}; }
    void apply(const Interpolation& row, std::size_t offset, MutableByteView out) const {
        std::array<const std::uint8_t*, maximum_cloves> from;
        for (std::size_t i = 0; i < count; ++i) from[i] = bodies[i] + offset;
        row.apply({from.data(), count}, out);
    }
    // The body of a clove that is among the values, or null.
    const std::uint8_t* body_of(std::uint8_t index) const {
        for (std::size_t i = 0; i < count; ++i)
            if (points[i] == point_of(index)) return bodies[i];
        return nullptr;
    }

    std::size_t count;
    std::array<std::uint8_t, maximum_cloves> points;
    std::array<const std::uint8_t*, maximum_cloves> bodies;
};

// Gathers the fragments in one buffer, ciphertext, tag and padding, and decrypts them there while they are still in the
// cache.
class Unsealing {
public:
    Unsealing(const crypto::SymmetricKey& key, ByteView associated, std::size_t message_size, std::size_t sealed_size)
        : opener_(key, crypto::Nonce{}, associated), message_size_(message_size) {
        sealed_.reserve(sealed_size);
    }

    void take(ByteView piece) {
        append(sealed_, piece);
        decrypt(false);
    }
    // A piece that is yet to be worked out: room for it at the end.
    template <typename Fill>
    void take(std::size_t size, Fill fill) {
        std::size_t at = sealed_.size();
        sealed_.resize(at + size);
        fill(MutableByteView(sealed_).subspan(at));
        decrypt(false);
    }

    // The message, if the tag verifies and the padding is zero.
    std::optional<Bytes> finish() {
        decrypt(true);
        ByteView rest = ByteView(sealed_).subspan(message_size_);
        crypto::Tag tag;
        std::ranges::copy(rest.first(tag.size()), tag.begin());
        bool padded = std::ranges::all_of(rest.subspan(tag.size()), [](std::uint8_t byte) { return byte == 0; });
        if (!opener_.finish(tag) || !padded) return std::nullopt;
        sealed_.resize(message_size_);
        return std::move(sealed_);
    }

private:
    // In whole blocks, which AES-GCM likes best.
    void decrypt(bool all) {
        std::size_t end = std::min(sealed_.size(), message_size_);
        while (opened_ < end && (all || end - opened_ >= block_size)) {
            MutableByteView next = MutableByteView(sealed_).subspan(opened_, std::min(end - opened_, block_size));
            opener_.update(next, next);
            opened_ += next.size();
        }
    }

    crypto::Opener opener_;
    std::size_t message_size_;
    Bytes sealed_;
    std::size_t opened_ = 0;
};

}  // namespace

std::optional<Bytes> recover(std::span<const CloveView* const> cloves, ByteView binding) {
    REQUIRES(!cloves.empty() && cloves.size() == cloves.front()->k);
    const DispersedMessage message = cloves.front()->dispersed();
    const std::uint8_t k = message.threshold.k;
    const std::size_t fragment = cloves.front()->fragment.size();
    const Values values(cloves);

    SharedKey shared(k);
    std::vector<Interpolation> missing;  // for the fragments that no clove holds, in order
    missing.reserve(
        k - static_cast<std::size_t>(std::ranges::count_if(cloves, [k](auto* clove) { return clove->index < k; })));
    for (std::uint8_t i = 0; i < k; ++i) {
        if (const std::uint8_t* body = values.body_of(i)) {
            std::copy_n(body, share_size, shared.share(i).begin());
        } else {
            missing.push_back(values.at(point_of(i)));
            values.apply(missing.back(), 0, shared.share(i));
        }
    }

    Unsealing unsealing(shared.message_key(message, binding), shared.shares(), message.size, k * fragment);
    auto row = missing.begin();
    for (std::uint8_t i = 0; i < k; ++i) {
        const std::uint8_t* body = values.body_of(i);
        for_each_block(fragment, [&](std::size_t offset, std::size_t size) {
            if (body)
                unsealing.take(ByteView(body + share_size + offset, size));
            else
                unsealing.take(size, [&](MutableByteView out) { values.apply(*row, share_size + offset, out); });
        });
        if (!body) ++row;
    }
    return unsealing.finish();
}

bool agrees(std::span<const CloveView* const> right, const CloveView& clove) {
    const Values values(right);
    const ByteView body = clove.body();
    if (const std::uint8_t* same = values.body_of(clove.index)) return std::equal(body.begin(), body.end(), same);
    const Interpolation row = values.at(point_of(clove.index));
    std::array<std::uint8_t, largest_block> expected;
    bool equal = true;
    for_each_block(body.size(), [&](std::size_t offset, std::size_t size) {
        if (!equal) return;
        values.apply(row, offset, MutableByteView(expected).first(size));
        equal = std::equal(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(size),
                           body.begin() + static_cast<std::ptrdiff_t>(offset));
    });
    return equal;
}

}  // namespace planetserve::dispersal
