// Descriptors and entries from hostile hands: what parses is within its limits, and can be written and read again.

#include <google/protobuf/stubs/logging.h>

#include "committee/entry.h"
#include "fuzz_check.h"

using namespace planetserve;
using namespace planetserve::committee;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const bool quiet = [] {
        google::protobuf::SetLogHandler(nullptr);
        return true;
    }();
    check(quiet, "quiet");
    ByteView input(data, size);
    if (auto parsed = parse_descriptor(input)) {
        check(committee::check(*parsed).has_value(), "what parses is within its limits");
        auto again = parse_descriptor(encode(*parsed));
        check(again && *again == *parsed, "a descriptor survives");
        Entry entry{*parsed, {to_bytes(input), {}}, {1, 2, 3}, UnixTime{4}, 5, UnixTime{6}};
        auto read = parse_entry(encode_entry(parsed->id, entry));
        check(read && read->first == parsed->id && read->second == entry, "an entry survives");
    }
    if (auto entry = parse_entry(input)) {
        auto again = parse_entry(encode_entry(entry->first, entry->second));
        check(again && *again == *entry, "an entry survives");
    }
    return 0;
}
