#include "kvevents/kv_event_decoder.h"

#include <gtest/gtest.h>

namespace planetserve::kvevents {
namespace {

using routing::BlockHash;
using routing::BlocksRemoved;
using routing::BlocksStored;
using routing::CacheCleared;
using routing::Medium;

// msgspec 0.22 wrote these from the structs in vllm/distributed/kv_events.py. In turn: the first versions, with signed
// hashes and fewer fields; versions until mid-2026, with events as lists; versions since then, with events as maps and
// hashes as bytes; and the same with the batch as a map.
constexpr std::string_view first_versions =
    "92cb3ff80000000000009296ab426c6f636b53746f72656492f9cfdab89baa7b5857c0c094ce0002505ccd0368ccc6cd236802c092ac"
    "426c6f636b52656d6f76656491f9";
constexpr std::string_view lists =
    "93cb41daa8dbe0359fe7949cab426c6f636b53746f72656492cf18191a1b1c1d1e1f09c094ce0002505ccd0368ccc6cd236802c0a347"
    "5055c092c0c000ae66756c6c5f617474656e74696f6ec09cab426c6f636b53746f726564910a0992010202c0a3475055a76164617074"
    "6572c001ae736c6964696e675f77696e646f77cc8094ac426c6f636b52656d6f76656491cf18191a1b1c1d1e1fa34350550191b0416c"
    "6c426c6f636b73436c656172656400";
constexpr std::string_view maps =
    "93cb41daa8dbe0359fe7948ba474797065ab426c6f636b53746f726564ac626c6f636b5f68617368657392c420000102030405060708"
    "090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f09b1706172656e745f626c6f636b5f68617368c0a9746f6b656e5f69647394"
    "ce0002505ccd0368ccc6cd2368aa626c6f636b5f73697a6502a76c6f72615f6964c0a66d656469756da3475055a96c6f72615f6e616d"
    "65c0aa65787472615f6b65797392c0c0a967726f75705f69647800b26b765f63616368655f737065635f6b696e64ae66756c6c5f6174"
    "74656e74696f6e8ba474797065ab426c6f636b53746f726564ac626c6f636b5f686173686573910ab1706172656e745f626c6f636b5f"
    "6861736809a9746f6b656e5f696473920102aa626c6f636b5f73697a6502a76c6f72615f6964c0a66d656469756da3475055a96c6f72"
    "615f6e616d65a761646170746572a967726f75705f69647801b26b765f63616368655f737065635f6b696e64ae736c6964696e675f77"
    "696e646f77bc6b765f63616368655f737065635f736c6964696e675f77696e646f77cc8084a474797065ac426c6f636b52656d6f7665"
    "64ac626c6f636b5f68617368657391c420000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fa66d656469"
    "756da3435055a967726f75705f6964780181a474797065b0416c6c426c6f636b73436c656172656400";
constexpr std::string_view all_maps =
    "83a27473cb41daa8dbe0359fe7a66576656e7473948ba474797065ab426c6f636b53746f726564ac626c6f636b5f68617368657392c4"
    "20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f09b1706172656e745f626c6f636b5f68617368c0a9"
    "746f6b656e5f69647394ce0002505ccd0368ccc6cd2368aa626c6f636b5f73697a6502a76c6f72615f6964c0a66d656469756da34750"
    "55a96c6f72615f6e616d65c0aa65787472615f6b65797392c0c0a967726f75705f69647800b26b765f63616368655f737065635f6b69"
    "6e64ae66756c6c5f617474656e74696f6e8ba474797065ab426c6f636b53746f726564ac626c6f636b5f686173686573910ab1706172"
    "656e745f626c6f636b5f6861736809a9746f6b656e5f696473920102aa626c6f636b5f73697a6502a76c6f72615f6964c0a66d656469"
    "756da3475055a96c6f72615f6e616d65a761646170746572a967726f75705f69647801b26b765f63616368655f737065635f6b696e64"
    "ae736c6964696e675f77696e646f77bc6b765f63616368655f737065635f736c6964696e675f77696e646f77cc8084a474797065ac42"
    "6c6f636b52656d6f766564ac626c6f636b5f68617368657391c420000102030405060708090a0b0c0d0e0f101112131415161718191a"
    "1b1c1d1e1fa66d656469756da3435055a967726f75705f6964780181a474797065b0416c6c426c6f636b73436c6561726564b2646174"
    "615f706172616c6c656c5f72616e6b00";

Result<KvEventBatch> decode(std::string_view hex) { return decode_kv_events(*from_hex(hex)); }

TEST(KvEventDecoder, ReadsTheFirstVersions) {
    auto batch = decode(first_versions);
    ASSERT_TRUE(batch) << batch.error().message;
    ASSERT_EQ(batch->events.size(), 2u);
    BlocksStored stored;
    stored.hashes = {{static_cast<std::uint64_t>(-7)}, {15760518052499183552u}};
    stored.tokens = {151644, 872, 198, 9064};
    stored.block_size = 2;
    EXPECT_EQ(std::get<BlocksStored>(batch->events[0]), stored);
    EXPECT_EQ(std::get<BlocksRemoved>(batch->events[1]), (BlocksRemoved{{{static_cast<std::uint64_t>(-7)}}, {}, 0}));
}

TEST(KvEventDecoder, ReadsListsAndMapsAlike) {
    for (std::string_view form : {lists, maps, all_maps}) {
        auto batch = decode(form);
        ASSERT_TRUE(batch) << batch.error().message;
        EXPECT_EQ(batch->unknown, 0u);
        ASSERT_EQ(batch->events.size(), 4u);
        const BlockHash first{0x18191a1b1c1d1e1f};
        BlocksStored stored;
        stored.hashes = {first, {9}};
        stored.tokens = {151644, 872, 198, 9064};
        stored.block_size = 2;
        EXPECT_EQ(std::get<BlocksStored>(batch->events[0]), stored);
        BlocksStored other;
        other.hashes = {{10}};
        other.parent = BlockHash{9};
        other.tokens = {1, 2};
        other.block_size = 2;
        other.plain = false;
        other.group = 1;
        other.whole_prefix = false;
        EXPECT_EQ(std::get<BlocksStored>(batch->events[1]), other);
        EXPECT_EQ(std::get<BlocksRemoved>(batch->events[2]), (BlocksRemoved{{first}, Medium::cpu, 1}));
        EXPECT_TRUE(std::holds_alternative<CacheCleared>(batch->events[3]));
    }
}

// [1, [EVENT]]
Result<KvEventBatch> decode_event(const std::string& hex) { return decode("920191" + hex); }

TEST(KvEventDecoder, PassesOverWhatItDoesNotKnow) {
    // ["Moved", [1], {"a": nil}]
    auto moved = decode_event(
        "93a54d6f7665649101"
        "81a161c0");
    ASSERT_TRUE(moved) << moved.error().message;
    EXPECT_EQ(moved->unknown, 1u);
    EXPECT_TRUE(moved->events.empty());
    // ["BlockRemoved", [5], "GPU", 0, "LOCAL", [1]]
    auto longer = decode_event(
        "96ac426c6f636b52656d6f766564"
        "9105"
        "a3475055"
        "00"
        "a54c4f43414c"
        "9101");
    ASSERT_TRUE(longer) << longer.error().message;
    EXPECT_EQ(std::get<BlocksRemoved>(longer->events.at(0)).hashes, (std::vector<BlockHash>{{5}}));
    // {"new": 1, "block_hashes": [5], "type": "BlockRemoved"}
    auto map = decode_event("83a36e657701ac626c6f636b5f6861736865739105a474797065ac426c6f636b52656d6f766564");
    ASSERT_TRUE(map) << map.error().message;
    EXPECT_EQ(map->events.size(), 1u);
    // A salted block: extra_keys [["salt"]].
    auto salted = decode_event(
        "99ab426c6f636b53746f726564"
        "9101"
        "c0"
        "910a"
        "01"
        "c0"
        "c0"
        "c0"
        "9191a473616c74");
    ASSERT_TRUE(salted) << salted.error().message;
    EXPECT_FALSE(std::get<BlocksStored>(salted->events.at(0)).plain);
}

TEST(KvEventDecoder, RefusesWhatIsNoBatch) {
    for (const char* hex : {
             "", "c0", "90", "9101", "9201c0", "920190c0",      // none, a number, no events, something behind it
             "920191c0", "92019190", "92019180", "9201919101",  // events without a name
             "920191"
             "91ac426c6f636b52656d6f766564",  // removed, and not what
             "920191"
             "92ac426c6f636b52656d6f7665649191c0",  // a hash that is a list
             "920191"
             "92ac426c6f636b52656d6f76656491c400",  // an empty hash
             "920191"
             "95ab426c6f636b53746f7265649101c091ff02",  // a negative token
             "920191"
             "95ab426c6f636b53746f7265649101c0910aa0",      // a size that is text
             "9201ddffffffff", "ddffffffff", "dfffffffff",  // counts that cannot be
         })
        EXPECT_FALSE(decode(hex)) << hex;
    std::string whole(maps);
    for (std::size_t size = 0; size < whole.size(); size += 2) EXPECT_FALSE(decode(whole.substr(0, size))) << size;
    Bytes large(kv_batch_limit + 1, 0xc0);
    EXPECT_EQ(decode_kv_events(large).error().code, ErrorCode::exhausted);
    Bytes many = *from_hex("9201dd00010001");
    many.resize(many.size() + 65537, 0x90);
    EXPECT_EQ(decode_kv_events(many).error().code, ErrorCode::exhausted);
}

}  // namespace
}  // namespace planetserve::kvevents
