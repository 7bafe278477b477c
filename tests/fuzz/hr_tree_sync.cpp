// Sync messages: what parses survives encoding; and a hostile peer's messages, whatever they are, leave what the tree
// says about an honest one as it is, and its own entries within its budget.

#include "fuzz_check.h"
#include "routing/replica.h"

using namespace planetserve;
using namespace planetserve::routing;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr HashWidth width = HashWidth::bits16;
    constexpr HolderIndex honest = 0;
    constexpr HolderIndex hostile = 1;
    HrTree tree(0x1234567);
    tree.insert(std::vector<ChunkHash>{0, 1, 2, 0x101}, honest);
    tree.set_budget(hostile, 100);
    HrTree::Content before = tree.content(honest);
    Replica replica(tree, width);
    // Messages, each after its size.
    ByteReader in(ByteView(data, size));
    for (Time now{}; in.remaining() > 2; now += 1s) {
        std::size_t length = in.u16();
        ByteView bytes = in.bytes(std::min(length, in.remaining()));
        if (auto message = parse_sync_message(bytes, width)) {
            auto again = parse_sync_message(encode(*message, width), width);
            check(again && *again == *message, "a message survives encoding");
        }
        (void)replica.on_message(hostile, bytes, now);
        (void)replica.on_timer(hostile, now);
        check(tree.content(honest) == before, "the honest node's entries stay");
        check(tree.content(hostile).prefixes <= 100, "the budget holds");
    }
    replica.remove(hostile);
    check(tree.content(hostile) == HrTree::Content{}, "a removed peer leaves nothing");
    check(tree.prefixes() == before.prefixes, "as does the tree");
    return 0;
}
