// An engine's KV events: whatever comes decodes or is refused, and what is decoded leaves the table of blocks within
// its bounds, and every level that is bound is told to be lost at most once.

#include <set>

#include "fuzz_check.h"
#include "kvevents/kv_event_decoder.h"
#include "routing/block_table.h"

using namespace planetserve;
using namespace planetserve::routing;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t most = 64;
    BlockTable table(0x1234567, {.blocks = most, .levels = most});
    table.clear(true);
    // Twice: what was stored is stored again, what was removed is removed again.
    for (int round = 0; round < 2; ++round) {
        auto batch = kvevents::decode_kv_events(ByteView(data, size));
        if (!batch) return 0;
        std::uint64_t key = 1;
        for (const CacheEvent& event : batch->events) {
            std::vector<PrefixKey> lost;
            const std::size_t bound = table.levels();
            table.apply(event, lost);
            std::set<PrefixKey> told(lost.begin(), lost.end());
            check(told.size() == lost.size(), "a level is lost once");
            check(table.levels() + lost.size() == bound, "levels are bound or told to be lost");
            check(table.blocks() <= most, "blocks are bounded");
            const auto* stored = std::get_if<BlocksStored>(&event);
            if (stored == nullptr) continue;
            check(table.held_tokens(stored->tokens) <= stored->tokens.size(), "no more is held than there is");
            std::vector<BlockTable::Level> levels;
            for (std::size_t tokens = 1; tokens <= stored->tokens.size() && tokens < 8; ++tokens)
                levels.push_back({{++key}, tokens});
            table.bind(stored->tokens, levels);
            check(table.levels() <= most, "levels are bounded");
        }
    }
    return 0;
}
