// The body of a request as a canonical prompt: bounded, and such that what is added to the conversation is added at its
// end.

#include "inference/prompt.h"

#include <algorithm>
#include <boost/json.hpp>

#include "fuzz_check.h"

using namespace planetserve;
namespace json = boost::json;

namespace {

constexpr const char* paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"};

bool begins_with(const Bytes& whole, const Bytes& part) {
    return whole.size() >= part.size() && std::equal(part.begin(), part.end(), whole.begin());
}

void check_growth(const char* path, std::string_view body) {
    json::parse_options options;
    options.max_depth = 128;
    json::value value = json::parse(body, {}, options);
    auto& object = value.as_object();
    auto* list = object.if_contains(std::string_view(path) == "/v1/responses" ? "input" : "messages");
    if (list == nullptr || !list->is_array()) return;
    // Written anew, numbers may be others.
    auto before = inference::canonical_prompt(path, as_bytes(json::serialize(value)));
    if (!before) return;

    auto& messages = list->as_array();
    auto* last = messages.empty() ? nullptr : messages.back().as_object().if_contains("role");
    bool begun = last != nullptr && *last == "assistant";
    bool first = messages.empty();
    constexpr const char* text = "An \xc3\xbf\x01 answer";
    messages.push_back({{"role", "assistant"}, {"content", text}});
    auto after = inference::canonical_prompt(path, as_bytes(json::serialize(value)));
    check(after.has_value(), "a message more is no reason to refuse");
    check(begins_with(after->canonical, before->canonical), "what is added stands at the end");
    Bytes answered = before->canonical;
    inference::append_answer(answered, text);
    if (!begun && !first) check(answered == after->canonical, "the answer is what the next prompt begins with");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const char* path = paths[data[0] % 4];
    ByteView body(data + 1, size - 1);
    auto prompt = inference::canonical_prompt(path, body);
    if (!prompt) return 0;
    const Bytes& canonical = prompt->canonical;
    check(canonical.size() <= body.size() + inference::prompt_allowance, "no longer than allowed");
    bool tokens = canonical.size() >= 2 && canonical[1] == 10;
    for (std::size_t i = 0; i < canonical.size() && !tokens; ++i)
        if (canonical[i] == 0xff)
            check(++i < canonical.size() && canonical[i] >= 1 && canonical[i] <= 9, "marks are whole");
    Bytes answered = canonical;
    inference::append_answer(answered, as_text(body), {{"f", std::string(as_text(body))}});
    check(begins_with(answered, canonical), "an answer is added at the end");
    if (data[0] % 4 != 1) check_growth(path, as_text(body));
    return 0;
}
