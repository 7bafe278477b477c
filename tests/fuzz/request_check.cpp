// A stranger's request at a model node: what is refused has a status and a reason that is JSON, and an upstream gets
// one JSON object with the model that was asked for and no member that is not known.

#include "inference/request_check.h"

#include <boost/json.hpp>

#include "fuzz_check.h"
#include "inference/request_members.h"

using namespace planetserve;
namespace json = boost::json;

namespace {

constexpr const char* paths[] = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings",
                                 "/v1/responses",        "/v1/messages",    "/v1/messages/count_tokens"};

void check_engine(const inference::Request& request, inference::EngineTraits::Kind kind) {
    const inference::EngineTraits engine{.kind = kind, .context = 2048, .grammars = true, .media_hosts = {"a.b"}};
    auto checked = inference::check_request(request, engine, {});
    if (!checked) {
        const inference::Refusal& refusal = checked.error();
        check(refusal.status >= 400 && refusal.status < 500 && !refusal.message.empty(), "a refusal has a reason");
        return;
    }
    if (kind == inference::EngineTraits::Kind::llama_server) return;
    json::parse_options options;
    options.max_depth = 128;
    json::value body = json::parse(as_text(request.body), {}, options);
    json::value written = json::parse(inference::upstream_body(body.as_object(), request.model), {}, options);
    check(written.at("model") == "m", "the model that was asked for");
    for (const auto& member : written.as_object())
        check(inference::passes_to_upstream(member.key()), "members that are known");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    inference::Request request;
    request.method = "POST";
    request.path = paths[data[0] % 6];
    request.model = "m";
    request.body.assign(data + 1, data + size);
    check_engine(request, inference::EngineTraits::Kind::llama_server);
    check_engine(request, inference::EngineTraits::Kind::other);
    return 0;
}
