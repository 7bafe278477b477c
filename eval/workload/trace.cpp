#include "eval/workload/trace.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <map>
#include <unordered_set>

#include "eval/kit/files.h"

namespace planetserve::eval {

namespace json = boost::json;

namespace {

constexpr std::size_t ids_limit = 1U << 16;

constexpr auto words = std::to_array<std::string_view>(
    {"time",      "year",       "people",      "way",       "day",    "man",       "thing",  "woman",   "life",
     "child",     "world",      "school",      "state",     "family", "student",   "group",  "country", "problem",
     "hand",      "part",       "place",       "case",      "week",   "company",   "system", "program", "question",
     "work",      "government", "number",      "night",     "point",  "home",      "water",  "room",    "mother",
     "area",      "money",      "story",       "fact",      "month",  "lot",       "right",  "study",   "book",
     "eye",       "job",        "word",        "business",  "issue",  "side",      "kind",   "head",    "house",
     "service",   "friend",     "father",      "power",     "hour",   "game",      "line",   "end",     "member",
     "law",       "car",        "city",        "community", "name",   "president", "team",   "minute",  "idea",
     "kid",       "body",       "information", "back",      "parent", "face",      "others", "level",   "office",
     "door",      "health",     "person",      "art",       "war",    "history",   "party",  "result",  "change",
     "morning",   "reason",     "research",    "girl",      "guy",    "moment",    "air",    "teacher", "force",
     "education", "able",       "about",       "above",     "across", "after",     "again",  "against", "all",
     "almost",    "along",      "also",        "always",    "among",  "another",   "answer", "any",     "appear",
     "around",    "ask",        "away",        "bad",       "become", "before",    "begin",  "behind",  "believe",
     "best",      "better",     "between",     "big",       "black",  "both"});

std::unexpected<Error> bad_trace(const std::string& why) { return fail(ErrorCode::malformed, why); }

Result<std::uint64_t> whole(const json::object& object, std::string_view key, std::uint64_t limit) {
    const auto* field = object.if_contains(key);
    double value = field && field->is_number() ? field->to_number<double>() : -1;
    if (!(value >= 0 && value <= static_cast<double>(limit)))
        return bad_trace("\"" + std::string(key) + "\" is not a number from 0 to " + std::to_string(limit));
    return static_cast<std::uint64_t>(value);
}

Result<TraceRequest> parse_request(std::string_view line) {
    boost::system::error_code error;
    json::value value = json::parse(line, error);
    if (error || !value.is_object()) return bad_trace("is not a JSON object");
    const auto& object = value.get_object();
    auto timestamp = whole(object, "timestamp", 1'000'000'000'000);
    auto input = whole(object, "input_length", ids_limit * trace_block_tokens);
    auto output = whole(object, "output_length", token_limit);
    for (const auto* field : {&timestamp, &input, &output})
        if (!*field) return std::unexpected(field->error());
    TraceRequest request{static_cast<std::int64_t>(*timestamp),
                         static_cast<std::uint32_t>(*input),
                         static_cast<std::uint32_t>(*output),
                         {}};
    const auto* ids = object.if_contains("hash_ids");
    if (!ids || !ids->is_array() || ids->get_array().size() > ids_limit)
        return bad_trace("\"hash_ids\" is not an array of ids");
    for (const auto& id : ids->get_array()) {
        auto number = id.to_number<std::uint64_t>(error);
        if (error) return bad_trace("\"hash_ids\" holds something that is no id");
        request.hash_ids.push_back(number);
    }
    if (request.hash_ids.size() != (request.input_length + trace_block_tokens - 1) / trace_block_tokens)
        return bad_trace("\"hash_ids\" has another number of blocks than \"input_length\" makes");
    return request;
}

std::size_t scaled(std::size_t tokens, double scale) {
    return static_cast<std::size_t>(std::lround(static_cast<double>(tokens) * scale));
}

}  // namespace

Result<std::vector<TraceRequest>> parse_trace(std::string_view text) {
    std::vector<TraceRequest> requests;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.find_first_not_of(" \t\r") == line.npos) continue;
        std::string where = "line " + std::to_string(number) + " ";
        if (line.size() > line_size_limit) return bad_trace(where + "is too long");
        if (requests.size() == item_limit) return bad_trace("more than " + std::to_string(item_limit) + " requests");
        auto request = parse_request(line);
        if (!request) return bad_trace(where + request.error().message);
        requests.push_back(std::move(*request));
    }
    if (requests.empty()) return bad_trace("there are no requests in it");
    return requests;
}

Result<std::filesystem::path> default_trace() {
    constexpr std::string_view name = "conversation_trace.jsonl";
    std::vector<std::filesystem::path> folders;
    if (const char* folder = std::getenv("PLANETSERVE_TRACES"); folder && *folder) folders.emplace_back(folder);
    if (const char* root = std::getenv("PLANETSERVE_ROOT"); root && *root)
        folders.push_back(std::filesystem::path(root).parent_path() / "shared/data/traces");
    for (const auto& folder : folders) {
        std::error_code error;
        if (std::filesystem::exists(folder / name, error)) return folder / name;
    }
    return fail(ErrorCode::not_found,
                "no trace: give --trace FILE, or a folder with " + std::string(name) + " in PLANETSERVE_TRACES");
}

Result<TraceFile> read_trace(const std::string& file) {
    std::filesystem::path path = file;
    if (file.empty()) {
        auto found = default_trace();
        if (!found) return std::unexpected(found.error());
        path = *found;
    }
    auto text = read_file(path, workload_size_limit);
    if (!text) return std::unexpected(text.error());
    auto requests = parse_trace(*text);
    if (!requests) return fail(requests.error().code, path.string() + ": " + requests.error().message);
    return TraceFile{std::move(path), std::move(*requests)};
}

std::string prompt_of(const TraceRequest& request, const TraceScale& scale) {
    std::string prompt;
    std::size_t left = request.input_length;
    for (std::uint64_t id : request.hash_ids) {
        std::size_t tokens = std::min<std::size_t>(left, trace_block_tokens);
        left -= tokens;
        SeededRandom random(id);
        // Never without a word: another id is another text.
        for (std::size_t i = 0, count = std::max<std::size_t>(1, scaled(tokens, scale.input)); i < count; ++i) {
            if (!prompt.empty()) prompt += ' ';
            prompt += words[random.below(words.size())];
        }
    }
    return prompt.empty() ? std::string(words[0]) : prompt;
}

WorkItem work_of(const TraceRequest& request, const TraceScale& scale) {
    WorkItem item;
    item.at = std::chrono::milliseconds(request.timestamp_ms);
    item.messages = user_message(prompt_of(request, scale));
    auto tokens = std::max<std::size_t>(1, scaled(request.output_length, scale.output));
    item.max_tokens = static_cast<std::uint32_t>(std::min<std::size_t>(tokens, scale.output_limit));
    return item;
}

std::vector<TraceRequest> pick_conversations(const std::vector<TraceRequest>& trace, std::size_t count,
                                             std::size_t turns, std::uint32_t shortest, std::uint32_t longest,
                                             Random& random) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::size_t>> conversations;
    for (std::size_t i = 0; i < trace.size(); ++i)
        if (trace[i].hash_ids.size() >= 2) conversations[{trace[i].hash_ids[0], trace[i].hash_ids[1]}].push_back(i);
    std::vector<std::vector<std::size_t>> fitting;
    for (auto& [blocks, requests] : conversations) {
        bool fits = requests.size() >= turns && std::ranges::all_of(requests, [&](std::size_t i) {
                        return trace[i].input_length >= shortest && trace[i].input_length <= longest;
                    });
        if (fits) fitting.push_back(std::move(requests));
    }
    random.shuffle(fitting);
    std::vector<std::size_t> chosen;
    for (const auto& requests : fitting) {
        if (chosen.size() >= count) break;
        chosen.insert(chosen.end(), requests.begin(), requests.end());
    }
    std::ranges::sort(chosen);
    if (chosen.size() > count) chosen.resize(count);
    std::vector<TraceRequest> picked;
    for (std::size_t i : chosen) picked.push_back(trace[i]);
    return picked;
}

double infinite_cache_share(const std::vector<TraceRequest>& requests) {
    std::unordered_set<std::uint64_t> held;
    double cached = 0;
    double all = 0;
    for (const auto& request : requests) {
        std::size_t depth = 0;
        while (depth < request.hash_ids.size() && held.contains(request.hash_ids[depth])) ++depth;
        cached += static_cast<double>(std::min<std::size_t>(depth * trace_block_tokens, request.input_length));
        all += request.input_length;
        held.insert(request.hash_ids.begin(), request.hash_ids.end());
    }
    return all > 0 ? cached / all : 0;
}

}  // namespace planetserve::eval
