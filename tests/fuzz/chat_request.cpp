// A client's request less what Beast parses: the body as a parser of whole values reads it, and the rules of its head.

#include <algorithm>
#include <boost/json.hpp>

#include "adapters/api/api_rules.h"
#include "adapters/api/model_request.h"
#include "fuzz_check.h"

using namespace planetserve;
namespace json = boost::json;

namespace {

void check_body(std::string_view path, std::string_view body) {
    auto read = adapters::parse_model_request(path, body);
    json::parse_options options;
    options.max_depth = 128;
    boost::system::error_code error;
    json::value whole = json::parse(body, error, {}, options);
    if (!read) {
        check(read.error().status == 400, "a refused body is a bad request");
        json::value told = json::parse(adapters::error_body(read.error(), path));
        check(told.at("error").at("message").is_string(), "a refusal is JSON");
        return;
    }
    check(!error && whole.is_object(), "what is accepted is an object");
    const json::object& object = whole.as_object();
    check(std::string_view(object.at("model").as_string()) == read->model, "the same model");
    const json::value* stream = object.if_contains("stream");
    check((stream != nullptr && stream->is_bool() && stream->as_bool()) == read->stream, "the same stream flag");
    const json::value* messages = object.if_contains("messages");
    check(path != "/v1/messages" || (messages != nullptr && !messages->as_array().empty()), "chats have messages");
}

void check_head(std::string_view text) {
    if (auto target = adapters::parse_target(text)) {
        check(!target->path.empty() && target->path.find('?') == std::string::npos, "a path without its query");
        check(target->query.empty() || target->query.front() == '?', "a query begins with its mark");
    }
    if (adapters::names_loopback(text)) check(text.size() <= 15, "a local name is one of three, and a port");
    if (auto decoded = adapters::percent_decoded(text)) check(decoded->size() <= text.size(), "decoding never grows");
    std::size_t half = text.size() / 2;
    auto head = adapters::passed_head({200,
                                       {{std::string(text.substr(0, half)), std::string(text.substr(half))},
                                        {"x-planetserve-" + std::string(text.substr(0, half)), std::string(text)},
                                        {"content-type", std::string(text)}}});
    for (const auto& [name, value] : head.headers)
        check((name + value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "no split replies");
    std::string events = adapters::error_events(adapters::unstreamed_error(500, text), "/v1/chat/completions");
    check(std::count(events.begin(), events.end(), '\n') == 4, "an error in a stream is one line");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text = as_text(ByteView(data, size));
    check_body("/v1/completions", text);
    check_body("/v1/messages", text);
    check_head(text);
    return 0;
}
