// What a hash width costs: the share of requests of a trace whose match the tree over-estimates, and by how much.
//
//     bench_routing_width conversation_trace.jsonl [--json FILE]
//
// The trace has Mooncake's form: an id for each block of 512 tokens of the prompt. One holder that gives up nothing,
// each request is looked up and then inserted. At 64 tokens a block is eight chunks. The reference is the exact match.
#include <fstream>
#include <unordered_set>

#include "bench/report.h"
#include "routing/hr_tree.h"

namespace {

using namespace planetserve;
using namespace planetserve::routing;

// Requests as block ids; a line without a list of ids is skipped.
std::vector<std::vector<std::uint64_t>> read_trace(const char* file) {
    std::vector<std::vector<std::uint64_t>> requests;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        std::size_t at = line.find("\"hash_ids\": [");
        if (at == std::string::npos) continue;
        std::vector<std::uint64_t> ids;
        std::istringstream list(line.substr(at + 13));
        for (std::uint64_t id; list >> id; list.ignore()) ids.push_back(id);
        requests.push_back(std::move(ids));
    }
    return requests;
}

void measure(bench::Report& report, const std::vector<std::vector<std::uint64_t>>& requests, HashWidth width,
             std::size_t chunks_a_block) {
    constexpr std::uint32_t chunk = 16;
    ChunkHasher hasher(Bytes(32, 0x42), {1, {}, chunk, ChunkLengths::most_levels}, width);
    HrTree tree(0x1234567);
    std::unordered_set<std::string> exact;
    std::vector<Match> matches;
    std::size_t wrong = 0;
    std::size_t wrong_by_three = 0;
    double excess = 0;
    double true_chunks = 0;
    for (const auto& ids : requests) {
        Bytes prompt;
        ByteWriter out(prompt);
        for (std::uint64_t id : ids)
            for (std::size_t part = 0; part < chunks_a_block; ++part) {
                out.u64(id);
                out.u64(part);
            }
        // A block's id stands for the prefix up to it, so the deepest block that was seen is the match.
        std::size_t depth = 0;
        while (depth < ids.size() && exact.contains(std::to_string(depth) + ":" + std::to_string(ids[depth]))) ++depth;
        for (std::size_t i = 0; i < ids.size(); ++i) exact.insert(std::to_string(i) + ":" + std::to_string(ids[i]));
        depth = std::min(depth * chunks_a_block, std::size_t{ChunkLengths::most_levels});
        auto hashes = hasher.hash(prompt);
        std::size_t found = tree.match(hashes, matches);
        tree.insert(hashes, 0);
        wrong += found > depth;
        wrong_by_three += found >= depth + 3;
        excess += static_cast<double>(found - std::min(found, depth));
        true_chunks += static_cast<double>(depth);
    }
    std::string name =
        std::to_string(static_cast<int>(width)) + "bits/" + std::to_string(512 / chunks_a_block) + "-token";
    auto share = [&](double value) { return 100 * value / static_cast<double>(requests.size()); };
    report.add("overestimated/" + name, share(static_cast<double>(wrong)), "% of requests", 0);
    report.add("by_three_chunks/" + name, share(static_cast<double>(wrong_by_three)), "% of requests", 0);
    double tokens = 512.0 / static_cast<double>(chunks_a_block) / static_cast<double>(requests.size());
    report.add("matched/" + name, (true_chunks + excess) * tokens, "tokens/request", true_chunks * tokens);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2 || argv[1][0] == '-') {
        std::cerr << "usage: bench_routing_width TRACE.jsonl [--json FILE]\n";
        return 2;
    }
    bench::Report report("bench_routing_width", argc - 1, argv + 1);
    auto requests = read_trace(argv[1]);
    if (requests.empty()) {
        std::cerr << "bench_routing_width: no requests in " << argv[1] << '\n';
        return 1;
    }
    for (std::size_t chunks_a_block : {std::size_t{1}, std::size_t{8}})
        for (HashWidth width : {HashWidth::bits8, HashWidth::bits16, HashWidth::bits32})
            measure(report, requests, width, chunks_a_block);
    return report.finish();
}
