// Which of several holds most of a bounded store. Where the store is full, that one loses something, whoever came last:
// a bound that refuses the newcomer punishes those who hold little.
#pragma once

#include <cstddef>
#include <set>
#include <utility>

#include "base/requires.h"

namespace planetserve::onion {

template <typename Key>
class Most {
public:
    // The key's share was `from` and is `to`; a share of 0 is none.
    void change(const Key& key, std::size_t from, std::size_t to) {
        if (from == to) return;
        if (from > 0) order_.erase({from, key});
        if (to > 0) order_.emplace(to, key);
    }

    bool empty() const { return order_.empty(); }
    // Of several with the same share, the one with the largest key. Requires: !empty().
    const Key& key() const {
        REQUIRES(!order_.empty());
        return order_.rbegin()->second;
    }
    // Its share; 0 where nobody has any.
    std::size_t share() const { return order_.empty() ? 0 : order_.rbegin()->first; }

private:
    std::set<std::pair<std::size_t, Key>> order_;
};

}  // namespace planetserve::onion
