// Insertions and removals as the input says, in the tree and in its naive twin, which holds the prompts themselves:
// after each, both say the same of every holder. Also the mirror of a cache: its changes keep a second tree equal to
// it.

#include "base/bytes.h"
#include "fuzz_check.h"
#include "routing/cache_mirror.h"
#include "routing/naive_tree.h"

using namespace planetserve;
using namespace planetserve::routing;

namespace {

using Path = std::vector<ChunkHash>;

// A byte of size, then two bits a chunk.
Path path_of(ByteReader& in) {
    Path path;
    std::size_t size = 1 + in.u8() % 8;
    std::uint32_t bits = in.u16();
    for (std::size_t i = 0; i < size; ++i, bits >>= 2) path.push_back((bits & 3) * 0x01010101);
    return path;
}

void apply(const CacheMirror::Changes& changes, HrTree& tree, HolderIndex holder) {
    for (const PathChange& change : changes) {
        std::vector<PrefixKey> keys{change.parent};
        for (ChunkHash hash : change.hashes) keys.push_back(keys.back().child(hash));
        for (std::size_t i = 1; i < keys.size(); ++i)
            if (change.kind == PathChange::Kind::insert)
                check(tree.add(keys[i], holder), "room for what the mirror holds");
            else
                check(tree.remove(keys[i], holder), "what the mirror gives up was held");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 4096) return 0;
    ByteReader in(ByteView(data, size));
    HrTree tree(0x1234567);
    NaiveTree<ChunkHash> twin;
    constexpr HolderIndex mirrored = 7;
    CacheMirror mirror(0x7654321, 1'000'000, 1 + in.u8() % 32);
    std::vector<Match> matches;
    while (in.remaining() >= 4) {
        std::uint8_t what = in.u8();
        auto holder = static_cast<HolderIndex>(what / 8 % 4);
        Path path = path_of(in);
        CacheMirror::Changes changes;
        switch (what % 8) {
            case 0:
            case 1:
            case 2:
                check(tree.insert(path, holder) == path.size(), "room");
                twin.insert(path, holder);
                break;
            case 3:
            case 4:
                if (auto leaves = twin.leaves(holder); !leaves.empty()) {
                    const Path leaf = leaves[what / 32 % leaves.size()];
                    check(tree.remove(leaf, holder), "a leaf is held");
                    twin.remove(leaf, holder);
                }
                break;
            case 5:
                tree.remove_holder(holder);
                twin.remove_holder(holder);
                break;
            case 6:
                mirror.use(path, std::vector<std::uint32_t>(path.size(), 10), changes);
                break;
            case 7:
                mirror.forget(path, what / 8 % path.size(), changes);
                break;
        }
        apply(changes, tree, mirrored);
        HrTree::Content content = tree.content(mirrored);
        check(content.prefixes == mirror.entries() && content.key_sum == mirror.key_sum(), "the mirror's content");

        check(tree.match(path, matches) == (matches.empty() ? 0 : matches.front().depth), "the deepest first");
        auto found = as_map(matches);
        check(found.size() == matches.size(), "each holder once");
        std::size_t depth = found.contains(mirrored) ? found[mirrored] : 0;
        check(depth == mirror.depth(path), "the mirror's depth");
        found.erase(mirrored);
        check(found == twin.match(path), "the same depths as the twin");
    }
    return 0;
}
