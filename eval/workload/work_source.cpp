#include "eval/workload/work_source.h"

#include <CLI/CLI.hpp>

#include "eval/kit/files.h"

namespace planetserve::eval {

void WorkSource::add_options(CLI::App& app) {
    auto* file = app.add_option("--workload", workload, "a JSONL file of prompts, one request a line");
    app.add_option("--trace", trace,
                   "a trace of lengths and shared blocks in Mooncake's format (default: conversation_trace.jsonl in "
                   "$PLANETSERVE_TRACES)")
        ->excludes(file);
    app.add_option("--scale", scale, "shrinks the trace's lengths, as 0.1 (default 1)")
        ->check(CLI::Range(0.0001, 100.0));
    app.add_option("--output-scale", output_scale, "the same for answers (default: as --scale)")
        ->check(CLI::Range(0.0001, 100.0));
    app.add_option("--output-limit", output_limit, "tokens of the trace's answers at most (default 4096)")
        ->check(CLI::Range(1U, token_limit));
    app.add_option("--requests", requests, "only the first N (default: all)");
    auto* poisson =
        app.add_option("--rate", rate, "requests a second, as a Poisson process (default: the work's own times)")
            ->check(CLI::Range(1e-6, 1e6));
    app.add_option("--speed", speed, "how much faster than the work's own times (default 1)")
        ->check(CLI::Range(1e-6, 1e6))
        ->excludes(poisson);
}

Result<std::vector<WorkItem>> WorkSource::read(std::uint64_t seed) const {
    std::vector<WorkItem> items;
    std::filesystem::path path = workload;
    auto in_file = [&](const Error& error) { return fail(error.code, path.string() + ": " + error.message); };
    if (!workload.empty()) {
        auto text = read_file(path, workload_size_limit);
        if (!text) return std::unexpected(text.error());
        auto parsed = parse_workload(*text);
        if (!parsed) return in_file(parsed.error());
        items = std::move(*parsed);
        if (requests > 0 && items.size() > requests) items.resize(requests);
    } else {
        auto read = read_trace(trace);
        if (!read) return std::unexpected(read.error());
        path = read->path;
        if (requests > 0 && read->requests.size() > requests) read->requests.resize(requests);
        TraceScale scales{scale, output_scale > 0 ? output_scale : scale, output_limit};
        for (const auto& request : read->requests) items.push_back(work_of(request, scales));
    }
    if (rate > 0) {
        SeededRandom random(seed);
        arrive_at_rate(items, rate, random);
    } else if (Status timed = arrive_as_given(items, speed); !timed) {
        return in_file(timed.error());
    }
    return items;
}

}  // namespace planetserve::eval
