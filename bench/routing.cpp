// The routing tree beside std::unordered_map of full prefix hashes: a million chunk entries over 8 model nodes, prompts
// of 1,500 tokens (6,000 bytes) in chunks of 64 tokens (256 bytes), the prompt that is looked up held whole.
//
// lookup         hashes given; the reference: a walk over the map by 64-bit hashes, from the root until a level is
//                absent
// lookup_hashed  from the prompt's bytes; the reference hashes chained chunks with std::hash (unkeyed, Murmur)
// insert         a chunk entry, of prompts that are not there yet, at a million entries; remove: of the same
// hash           the prompt's bytes to the hashes of its levels
// match_short    a prompt of which a third is held
// sync           bytes to one peer for 1,000 new prompts of a node whose cache is full, a delta each 100 of them; the
//                reference: all that the node holds, each 100 of them
// memory         bytes an entry: counted by the tree; by growth of the heap for both
//
// OPERATION/64-token/INDEX: the same prompts in an index of another router, where PLANETSERVE_PEERS_ROUTING names the
// program that has them (bench/peers-routing; `planetserve bench` builds it).
#include <malloc.h>

#include <unordered_map>

#include "base/random.h"
#include "bench/peer_process.h"
#include "bench/report.h"
#include "routing/hr_tree.h"
#include "routing/publisher.h"

namespace {

using namespace planetserve;
using namespace planetserve::routing;

constexpr std::size_t chunk = 256;
constexpr std::size_t prompt_size = 6000;
constexpr std::size_t levels = prompt_size / chunk;
constexpr std::size_t entries = 1'000'000;
constexpr std::size_t holders = 8;
// Prompts that are looked up by their hashes: nearly half of the table, so that it is not in the nearer caches; and
// those that are hashed, too, which would have just arrived.
constexpr std::size_t asked_prompts = 20'000;
constexpr std::size_t hashed_prompts = 2'000;

using FullHashes = std::vector<std::uint64_t>;

void hash_fully(ByteView prompt, FullHashes& out) {
    out.clear();
    std::uint64_t chained = 0;
    for (std::size_t begin = 0; begin + chunk <= prompt.size(); begin += chunk) {
        std::uint64_t own = std::hash<std::string_view>{}(as_text(prompt.subspan(begin, chunk)));
        chained = (chained ^ own) * 0x9e3779b97f4a7c15;
        out.push_back(chained);
    }
}

// Holders as bits: the plainest thing that answers the same question for 8 nodes.
using Map = std::unordered_map<std::uint64_t, std::uint8_t>;

std::size_t heap() {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

struct Bench {
    Bench() : hasher(Bytes(32, 0x42), {1, {}, chunk, 1024}, default_width), tree(random.next()) {
        // Every tenth prompt continues one of the others after 8 chunks, as conversations do.
        prompts.reserve(entries / levels + 1);
        while (prompts.size() * levels < entries * 11 / 10) prompts.push_back(random.next());
        std::size_t before = heap();
        for (; tree.prefixes() < entries; ++inserted)
            tree.insert(hashes_of(inserted), static_cast<HolderIndex>(inserted % holders));
        tree_growth = heap() - before;
        before = heap();
        for (std::size_t i = 0; map.size() < entries; ++i) {
            hash_fully(bytes_of(i), full);
            for (std::uint64_t hash : full) map[hash] |= static_cast<std::uint8_t>(1u << i % holders);
        }
        map_growth = heap() - before;
        for (std::size_t i = 0; i < asked_prompts; ++i) {
            std::size_t which = random.below(entries / levels);
            asked_numbers.push_back(which);
            auto hashes = hashes_of(which);
            asked.emplace_back(hashes.begin(), hashes.end());
            hash_fully(bytes_of(which), full);
            asked_fully.push_back(full);
            if (i < hashed_prompts) asked_bytes.push_back(bytes_of(which));
            short_asked.push_back(asked.back());
            short_asked_fully.push_back(full);
            for (std::size_t level = levels / 3; level < levels; ++level) {
                short_asked.back()[level] ^= 0x5555;
                short_asked_fully.back()[level] ^= 0x5555;
            }
        }
    }

    const Bytes& bytes_of(std::size_t i) {
        SeededRandom own(prompts[i]);
        bytes.resize(prompt_size);
        own.fill(bytes);
        if (i % 10 == 9) {
            SeededRandom first(prompts[i - 1]);
            first.fill(MutableByteView(bytes).first(8 * chunk));
        }
        return bytes;
    }
    std::span<const ChunkHash> hashes_of(std::size_t i) { return hasher.hash(bytes_of(i)); }

    std::size_t next() { return turn = turn + 1 == asked.size() ? 0 : turn + 1; }
    void walk(const FullHashes& hashes) {
        std::uint8_t deepest = 0;
        for (std::uint64_t hash : hashes) {
            auto found = map.find(hash);
            if (found == map.end()) break;
            deepest = found->second;
        }
        bench::keep(deepest);
    }
    void match(std::span<const ChunkHash> hashes) { bench::keep(tree.match(hashes, matches)); }

    SeededRandom random{1};
    ChunkHasher hasher;
    HrTree tree;
    Map map;
    std::vector<std::uint64_t> prompts;
    Bytes bytes;
    FullHashes full;
    std::vector<std::size_t> asked_numbers;
    std::vector<std::vector<ChunkHash>> asked;
    std::vector<std::vector<ChunkHash>> short_asked;
    std::vector<FullHashes> asked_fully;
    std::vector<FullHashes> short_asked_fully;
    std::vector<Bytes> asked_bytes;
    std::vector<Match> matches;
    std::size_t turn = 0;
    // Prompts that the tree has.
    std::size_t inserted = 0;
    std::size_t tree_growth = 0;
    std::size_t map_growth = 0;
};

void add_peers(Bench& bench, const char* program, bench::Report& report) {
    bench::PeerProcess peers(program);
    for (std::size_t value : {chunk, prompt_size, holders, bench.inserted, asked_prompts, hashed_prompts})
        peers.write_u32(value);
    for (std::size_t i = 0; i < bench.inserted; ++i) peers.write(bench.bytes_of(i));
    for (std::size_t number : bench.asked_numbers) peers.write(bench.bytes_of(number));
    std::vector<std::pair<std::string, double>> indexes;
    for (std::string line = peers.line(); line != "ready"; line = peers.line()) {
        auto space = line.find(' ');
        indexes.emplace_back(line.substr(0, space), std::stod(line.substr(space)) / entries);
    }
    auto lookup = [&] { bench.match(bench.asked[bench.next()]); };
    auto lookup_hashed = [&] { bench.match(bench.hasher.hash(bench.asked_bytes[bench.next() % hashed_prompts])); };
    auto match_short = [&] { bench.match(bench.short_asked[bench.next()]); };
    for (const auto& [index, bytes] : indexes) {
        auto row = [&](const char* operation, auto& own) {
            auto times = bench::compare_timed(
                bench::timed(own), [&](std::size_t calls) { return peers.time(index, operation, calls); },
                std::chrono::milliseconds(1500));
            report.add(operation + ("/64-token/" + index), times.value, "us", times.reference);
        };
        row("lookup", lookup);
        row("lookup_hashed", lookup_hashed);
        row("match_short", match_short);
        report.add("memory/growth/" + index, static_cast<double>(bench.tree_growth) / entries, "bytes/entry", bytes);
    }
}

// Insertion of new paths and their removal, in microseconds.
struct Changes {
    double insertion = 0;
    double removal = 0;
};
Changes time_changes(auto insert, auto remove) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> insertions;
    std::vector<double> removals;
    for (int turn = 0; turn < 200; ++turn) {
        auto start = Clock::now();
        insert();
        auto between = Clock::now();
        remove();
        insertions.push_back(std::chrono::duration<double, std::micro>(between - start).count());
        removals.push_back(std::chrono::duration<double, std::micro>(Clock::now() - between).count());
    }
    auto median = [](std::vector<double>& samples) {
        std::ranges::nth_element(samples, samples.begin() + 100);
        return samples[100];
    };
    return {median(insertions), median(removals)};
}

struct SyncBytes {
    double deltas = 0;
    double snapshots = 0;
};
SyncBytes sync_bytes(Bench& bench) {
    constexpr std::size_t capacity = entries / holders;
    CacheMirror mirror(1, std::uint64_t{capacity} * chunk, capacity);
    Publisher publisher(1, default_width, mirror);
    const std::vector<std::uint32_t> sizes(levels, chunk);
    SyncBytes sum;
    const std::size_t full = capacity / levels + 1000;
    for (std::size_t i = 0; i < full + 1000; ++i) {
        CacheMirror::Changes changes;
        mirror.use(bench.hashes_of(i), sizes, changes);
        publisher.record(std::move(changes));
        if (i % 100 != 99) continue;
        auto messages = publisher.deltas();
        if (i < full) continue;
        for (const Bytes& message : messages) sum.deltas += static_cast<double>(message.size());
        Publisher fresh(1, default_width, mirror);
        for (const Bytes& part : fresh.repair(0, {}, Time{})) sum.snapshots += static_cast<double>(part.size());
    }
    return sum;
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("bench_routing", argc, argv);
    Bench bench;
    auto row = [&](std::string name, auto value, auto reference) {
        auto times = bench::compare(value, reference, std::chrono::milliseconds(1500));
        report.add(std::move(name), times.value, "us", times.reference);
    };
    row(
        "lookup/64-token", [&] { bench.match(bench.asked[bench.next()]); },
        [&] { bench.walk(bench.asked_fully[bench.next()]); });
    row(
        "lookup_hashed/64-token",
        [&] { bench.match(bench.hasher.hash(bench.asked_bytes[bench.next() % hashed_prompts])); },
        [&] {
            hash_fully(bench.asked_bytes[bench.next() % hashed_prompts], bench.full);
            bench.walk(bench.full);
        });
    row(
        "hash/6000B", [&] { bench::keep(bench.hasher.hash(bench.asked_bytes[bench.next() % hashed_prompts])); },
        [&] {
            hash_fully(bench.asked_bytes[bench.next() % hashed_prompts], bench.full);
            bench::keep(bench.full);
        });
    row(
        "match_short/64-token", [&] { bench.match(bench.short_asked[bench.next()]); },
        [&] { bench.walk(bench.short_asked_fully[bench.next()]); });
    if (const char* program = std::getenv("PLANETSERVE_PEERS_ROUTING")) add_peers(bench, program, report);

    std::vector<std::vector<ChunkHash>> fresh;
    for (int i = 0; i < 100; ++i) {
        fresh.emplace_back();
        for (std::size_t level = 0; level < levels; ++level)
            fresh.back().push_back(static_cast<ChunkHash>(bench.random.next()));
    }
    Changes own = time_changes(
        [&] {
            for (const auto& path : fresh) bench.tree.insert(path, 3);
        },
        [&] {
            for (const auto& path : fresh)
                for (std::size_t size = levels; size > 0; --size) bench.tree.remove(std::span(path).first(size), 3);
        });
    Changes of_map = time_changes(
        [&] {
            for (const auto& path : fresh)
                for (ChunkHash hash : path) bench.map[hash * 0x9e3779b97f4a7c15] |= 8;
        },
        [&] {
            for (const auto& path : fresh)
                for (ChunkHash hash : path) bench.map.erase(hash * 0x9e3779b97f4a7c15);
        });
    double count = static_cast<double>(fresh.size() * levels);
    report.add("insert/entry", own.insertion * 1000 / count, "ns", of_map.insertion * 1000 / count);
    report.add("remove/entry", own.removal * 1000 / count, "ns", of_map.removal * 1000 / count);

    auto sync = sync_bytes(bench);
    report.add("sync/1000_prompts", sync.deltas, "bytes", sync.snapshots);

    auto an_entry = [](std::size_t bytes) { return static_cast<double>(bytes) / static_cast<double>(entries); };
    report.add("memory/counted", an_entry(bench.tree.memory()), "bytes/entry");
    report.add("memory/holder_lists", an_entry(bench.tree.holder_list_memory()), "bytes/entry");
    report.add("memory/growth", an_entry(bench.tree_growth), "bytes/entry", an_entry(bench.map_growth));
    return report.finish();
}
