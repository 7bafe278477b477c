// The naive twin of HrTree for tests and fuzzers: keeps each holder's prompts whole and compares them one by one.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "routing/hr_tree.h"

namespace planetserve::routing {

// A chunk is anything comparable: a chunk's contents, its number, or its truncated hash.
template <typename Chunk>
class NaiveTree {
public:
    using Path = std::vector<Chunk>;

    void insert(const Path& prompt, HolderIndex holder) {
        for (std::size_t size = 1; size <= prompt.size(); ++size)
            held_[holder].emplace(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(size));
    }
    void remove(const Path& prompt, HolderIndex holder) { held_[holder].erase(prompt); }
    void remove_holder(HolderIndex holder) { held_.erase(holder); }

    std::map<HolderIndex, std::uint32_t> match(const Path& prompt) const {
        std::map<HolderIndex, std::uint32_t> depths;
        for (const auto& [holder, prefixes] : held_) {
            std::uint32_t deepest = 0;
            for (const Path& prefix : prefixes) {
                bool matches =
                    prefix.size() <= prompt.size() && std::equal(prefix.begin(), prefix.end(), prompt.begin());
                if (matches) deepest = std::max(deepest, static_cast<std::uint32_t>(prefix.size()));
            }
            if (deepest > 0) depths[holder] = deepest;
        }
        return depths;
    }
    // The holder's prefixes that none of its longer prefixes continues.
    std::vector<Path> leaves(HolderIndex holder) const {
        std::vector<Path> found;
        auto held = held_.find(holder);
        if (held == held_.end()) return found;
        for (const Path& prefix : held->second) {
            bool is_leaf = std::ranges::none_of(held->second, [&](const Path& other) {
                return other.size() == prefix.size() + 1 && std::equal(prefix.begin(), prefix.end(), other.begin());
            });
            if (is_leaf) found.push_back(prefix);
        }
        return found;
    }
    std::size_t prefixes(HolderIndex holder) const {
        auto held = held_.find(holder);
        return held == held_.end() ? 0 : held->second.size();
    }
    std::size_t prefixes() const {
        std::set<Path> all;
        for (const auto& [holder, prefixes] : held_) all.insert(prefixes.begin(), prefixes.end());
        return all.size();
    }

private:
    std::map<HolderIndex, std::set<Path>> held_;
};

inline std::map<HolderIndex, std::uint32_t> as_map(const std::vector<Match>& matches) {
    std::map<HolderIndex, std::uint32_t> depths;
    for (const Match& match : matches) depths[match.holder] = match.depth;
    return depths;
}

}  // namespace planetserve::routing
