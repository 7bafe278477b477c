#include "onion/path_cipher.h"

#include "base/requires.h"

namespace planetserve::onion {

PathCipher::PathCipher(std::vector<HopKeys> keys) : keys_(std::move(keys)) { REQUIRES(!keys_.empty()); }

void PathCipher::seal(CellBody& body) {
    seal_cell(keys_.back().forward, forward_count_, body);
    for (std::size_t hop = keys_.size() - 1; hop-- > 0;) crypto::stream_xor(keys_[hop].forward, forward_count_, body);
    ++forward_count_;
}

bool PathCipher::open(MutableByteView body) {
    for (std::size_t hop = 0; hop + 1 < keys_.size(); ++hop)
        crypto::stream_xor(keys_[hop].backward, backward_count_, body);
    return open_cell(keys_.back().backward, backward_count_++, body);
}

}  // namespace planetserve::onion
