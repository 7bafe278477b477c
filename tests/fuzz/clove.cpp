// Cloves from hostile hands. The input's first byte picks one of two games:
//
// raw      the rest is a list of cloves (2-byte size, bytes) for parse_clove, a Collector and combine: none may be
// taken
//          for a message, since nobody can forge one, and the bounds must hold.
// mutated  the rest says what to split and then what to do to the cloves on their way (drop, repeat, swap, change, cut,
//          state another index): what comes out is the message that went in or an error, k untouched cloves are enough,
//          and no untouched clove is called corrupt.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/random.h"
#include "dispersal/combine.h"
#include "dispersal/split.h"

namespace {

using namespace planetserve;
using namespace planetserve::dispersal;

constexpr std::size_t limit = 4096;

void check(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "violated: %s\n", what);
    std::abort();
}

void raw(ByteReader input) {
    Collector collector({}, limit);
    std::vector<ByteView> all;
    while (input.remaining() >= 2) {
        std::size_t size = input.u16();
        ByteView encoded = input.bytes(std::min(size, input.remaining()));
        all.push_back(encoded);
        auto clove = parse_clove(encoded, limit);
        if (clove) {
            check(Threshold{clove->n, clove->k}.validate().has_value(), "a parsed clove has a valid threshold");
            check(clove->index < clove->n, "a parsed clove's index is below n");
            check(encoded.size() == clove_size(clove->message_size, clove->k),
                  "a parsed clove has the size that follows");
            Bytes again;
            append_clove_header(again, clove->dispersed(), clove->index);
            append(again, clove->body());
            check(std::ranges::equal(again, encoded), "encoding a parsed clove gives its bytes");
        }
        auto progress = collector.add(encoded);
        check(!clove || !progress || *progress == Progress::needs_more, "nothing is taken for a message");
        check(clove || !progress, "what does not parse is not collected");
    }
    check(collector.trials() <= maximum_trials, "tries are bounded");
    check(collector.held() <= maximum_cloves, "cloves are bounded");
    check(!combine(all, {}, limit), "nothing is taken for a message at once");
}

void mutated(ByteReader input) {
    SeededRandom random(input.u16());
    Threshold threshold;
    threshold.n = static_cast<std::uint8_t>(1 + input.u8() % 6);
    threshold.k = static_cast<std::uint8_t>(1 + input.u8() % threshold.n);
    Bytes message(input.u16() % 300);
    random.fill(message);
    const auto cloves = split(message, threshold, random.id<MessageId>(), as_bytes("bound"), random).value();

    std::vector<Bytes> way = cloves;
    while (input.remaining() >= 4 && !way.empty()) {
        std::uint8_t action = input.u8();
        Bytes& clove = way[input.u8() % way.size()];
        std::uint8_t value = input.u8();
        std::uint8_t where = input.u8();
        switch (action % 7) {
            case 0:
                way.erase(way.begin() + (&clove - way.data()));
                break;
            case 1:
                if (way.size() < 12) way.push_back(Bytes(clove));
                break;
            case 2:
                std::swap(clove, way[value % way.size()]);
                break;
            case 3:
                if (!clove.empty())
                    clove[(where * 256u + value) % clove.size()] ^= static_cast<std::uint8_t>(value | 1);
                break;
            case 4:
                clove.resize(clove.size() * value / 256);
                break;
            case 5:
                if (clove.size() > 3) clove[3] = static_cast<std::uint8_t>(value % threshold.n);
                break;
            case 6:
                if (clove.size() > where) clove[where] = value;
                break;
        }
    }

    auto untouched = [&](ByteView bytes) {
        return std::ranges::any_of(cloves, [&](const Bytes& clove) { return std::ranges::equal(clove, bytes); });
    };
    Collector collector(as_bytes("bound"), limit);
    std::vector<bool> given(cloves.size());   // the true clove was accepted
    std::vector<bool> forged(cloves.size());  // another one with its index was
    for (const Bytes& sent : way) {
        bool complete = collector.complete();
        auto progress = collector.add(sent);
        bool taken = progress || progress.error().code == ErrorCode::authentication;
        if (untouched(sent)) {
            if (taken) given[sent[3]] = true;
            check(!complete || progress, "a true clove is accepted after completion");
            if (collector.complete()) check(collector.verify(sent), "a true clove verifies");
        } else {
            if (taken) forged[sent[3]] = true;
            check(!complete || !progress, "an untrue clove is refused after completion");
            check(!collector.verify(sent), "an untrue clove does not verify");
        }
        check(collector.held() <= threshold.n || collector.message()->threshold != threshold,
              "cloves are bounded by n");
    }
    auto distinct = static_cast<std::size_t>(std::ranges::count(given, true));
    // A touched header that came first makes the collector's message another one; then nothing is promised.
    if (collector.message() && collector.message() == parse_clove(cloves[0], limit)->dispersed())
        check(collector.complete() || distinct < threshold.k, "k true cloves are enough");
    if (collector.complete()) {
        check(distinct >= threshold.k, "fewer than k true cloves are not enough");
        for (std::uint8_t index : collector.corrupt()) check(forged[index], "no true clove is called corrupt");
        check(collector.take_message() == message, "the message is the one that was sent");
    }

    std::vector<ByteView> views;
    for (const Bytes& sent : way) views.push_back(sent);
    auto at_once = combine(views, as_bytes("bound"), limit);
    check(!at_once || at_once->message == message, "the message is the one that was sent, all at once");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteReader input(ByteView(data, size));
    if (input.u8() % 2 == 0)
        raw(input);
    else
        mutated(input);
    return 0;
}
