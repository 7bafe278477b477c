#include "routing/cache_mirror.h"

#include <gtest/gtest.h>

#include <list>
#include <set>

#include "base/random.h"

namespace planetserve::routing {
namespace {

using Hashes = std::vector<ChunkHash>;
using Changes = CacheMirror::Changes;

void use(CacheMirror& mirror, const Hashes& hashes, Changes& changes) {
    mirror.use(hashes, std::vector<std::uint32_t>(hashes.size(), 1), changes);
}

TEST(CacheMirror, GivesUpTheLeastRecentlyUsedLeavesFirst) {
    CacheMirror mirror(1, 1000, 5);
    Changes changes;
    use(mirror, {1, 2, 3}, changes);
    use(mirror, {7, 8}, changes);
    changes.clear();
    use(mirror, {1, 2, 4, 5}, changes);
    // 3 is the oldest leaf, then 8. The new prompt uses 1 and 2.
    PrefixKey two = PrefixKey{}.child(1).child(2);
    EXPECT_EQ(changes, (Changes{{PathChange::Kind::remove, two, {3}},
                                {PathChange::Kind::remove, PrefixKey{}.child(7), {8}},
                                {PathChange::Kind::insert, two, {4, 5}}}));
    EXPECT_EQ(mirror.entries(), 5u);
    changes.clear();
    use(mirror, {6, 7}, changes);
    EXPECT_EQ(changes.front(), (PathChange{PathChange::Kind::remove, {}, {7}}));
}

TEST(CacheMirror, ChainsGoTogether) {
    CacheMirror mirror(1, 1000, 4);
    Changes changes;
    use(mirror, {1, 2, 3, 4}, changes);
    changes.clear();
    use(mirror, {9, 8, 7}, changes);
    EXPECT_EQ(changes, (Changes{{PathChange::Kind::remove, PrefixKey{}.child(1), {2, 3, 4}},
                                {PathChange::Kind::insert, {}, {9, 8, 7}}}));
}

TEST(CacheMirror, BytesBoundToo) {
    CacheMirror mirror(1, 100, 1000);
    Changes changes;
    mirror.use(Hashes{1, 2}, std::vector<std::uint32_t>{60, 30}, changes);
    mirror.use(Hashes{5, 6, 7}, std::vector<std::uint32_t>{20, 40, 50}, changes);
    EXPECT_LE(mirror.bytes(), 100u);
    EXPECT_EQ(mirror.depth(Hashes{5, 6, 7}), 2u) << "a prompt beyond the capacity is held from its beginning";
    EXPECT_EQ(mirror.depth(Hashes{1}), 0u);
}

TEST(CacheMirror, ForgetsABranch) {
    CacheMirror mirror(1, 1000, 100);
    Changes changes;
    use(mirror, {1, 2, 3}, changes);
    use(mirror, {1, 2, 4, 5}, changes);
    use(mirror, {1, 6}, changes);
    changes.clear();
    mirror.forget(Hashes{1, 2, 3}, 1, changes);
    EXPECT_EQ(mirror.depth(Hashes{1, 2}), 1u);
    EXPECT_EQ(mirror.depth(Hashes{1, 6}), 2u);
    EXPECT_EQ(mirror.entries(), 2u);
    std::size_t removed = 0;
    for (const PathChange& change : changes) removed += change.hashes.size();
    EXPECT_EQ(removed, 4u);
    changes.clear();
    mirror.forget(PrefixKey{}.child(1).child(6), changes);
    EXPECT_EQ(changes, (Changes{{PathChange::Kind::remove, PrefixKey{}.child(1), {6}}}));
    mirror.forget(PrefixKey{}.child(1).child(6), changes);
    EXPECT_EQ(changes.size(), 1u);
    use(mirror, {1, 6}, changes);
    mirror.forget(Hashes{9, 9}, 0, changes);
    mirror.forget(Hashes{1, 6}, 2, changes);
    EXPECT_EQ(mirror.entries(), 2u);
}

// The changes rebuild what the mirror holds, and the mirror holds what a plain LRU list of prefixes would.
TEST(CacheMirror, ChangesRebuildItAndLruIsRight) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        SeededRandom random(seed);
        const std::size_t capacity = 1 + random.below(40);
        CacheMirror mirror(random.next(), 1'000'000, capacity);
        std::set<std::uint64_t> rebuilt;
        std::list<Hashes> newest_first;
        auto apply = [&](const Changes& changes) {
            for (const PathChange& change : changes) {
                PrefixKey key = change.parent;
                ASSERT_TRUE(key == PrefixKey{} || rebuilt.contains(key.value)) << "a parent that is not held";
                for (ChunkHash hash : change.hashes) {
                    key = key.child(hash);
                    bool insert = change.kind == PathChange::Kind::insert;
                    EXPECT_EQ(insert ? rebuilt.insert(key.value).second : rebuilt.erase(key.value) == 1, true);
                }
            }
        };
        for (int step = 0; step < 800; ++step) {
            Hashes path;
            for (std::uint64_t left = 1 + random.below(8); left > 0; --left)
                path.push_back(static_cast<ChunkHash>(random.below(3)));
            Changes changes;
            if (random.below(10) > 0) {
                use(mirror, path, changes);
                Hashes kept(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(std::min(path.size(), capacity)));
                for (; !kept.empty(); kept.pop_back()) {
                    std::erase(newest_first, kept);
                    newest_first.push_front(kept);
                }
                if (newest_first.size() > capacity) newest_first.resize(capacity);
            } else {
                std::size_t keep = random.below(path.size());
                mirror.forget(path, keep, changes);
                Hashes top(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(keep) + 1);
                std::erase_if(newest_first, [&](const Hashes& held) {
                    return held.size() >= top.size() && std::equal(top.begin(), top.end(), held.begin());
                });
            }
            apply(changes);
            std::set<std::uint64_t> expected;
            std::uint64_t sum = 0;
            for (const Hashes& held : newest_first) {
                PrefixKey key;
                for (ChunkHash hash : held) key = key.child(hash);
                expected.insert(key.value);
                sum += key.value;
            }
            ASSERT_EQ(rebuilt, expected);
            ASSERT_EQ(mirror.entries(), expected.size());
            ASSERT_EQ(mirror.key_sum(), sum);
        }
        Changes all;
        mirror.snapshot([&](PathChange&& run) { all.push_back(std::move(run)); });
        std::set<std::uint64_t> before = std::exchange(rebuilt, {});
        apply(all);
        EXPECT_EQ(rebuilt, before);
    }
}

}  // namespace
}  // namespace planetserve::routing
