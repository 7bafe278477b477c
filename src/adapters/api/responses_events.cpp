#include "adapters/api/responses_events.h"

#include <boost/json.hpp>

namespace planetserve::adapters {

namespace json = boost::json;

namespace {

constexpr const char* member_names[] = {"id", "created_at", "model"};

// What the stream's first event tells of the response.
json::object opened(const std::string& data) {
    boost::system::error_code malformed;
    const json::value event = json::parse(data, malformed);
    const auto* response = !malformed && event.is_object() ? event.as_object().if_contains("response") : nullptr;
    json::object known;
    if (response == nullptr || !response->is_object()) return known;
    for (const char* name : member_names)
        if (const auto* value = response->as_object().if_contains(name)) known[name] = *value;
    return known;
}

}  // namespace

void ResponsesEvents::see(std::string_view bytes) {
    if (!readable_) return;
    auto fed = events_.feed(bytes, [this](std::string_view data) {
        event(data);
        return true;
    });
    readable_ = fed.has_value();
}

void ResponsesEvents::event(std::string_view data) {
    if (count_++ == 0 && data.size() <= longest_opening) opening_ = data;
    // In a text that an answer quotes, the quotation marks have backslashes before them.
    for (std::string_view last : {R"("response.completed")", R"("response.incomplete")", R"("response.failed")"})
        if (data.find(last) != std::string_view::npos) ended_ = true;
}

std::string ResponsesEvents::failed(const ApiError& error, std::string_view request_id) const {
    // Of the error's form only its members are used.
    json::object members = json::parse(error_body(error, "")).at("error").as_object();
    if (members.at("code").is_null()) members["code"] = members.at("type");
    json::object response = opened(opening_);
    if (!response.contains("id")) response["id"] = "resp_" + std::string(request_id);
    response["object"] = "response";
    response["status"] = "failed";
    response["output"] = json::array();
    response["error"] = std::move(members);
    const json::object last{
        {"type", "response.failed"}, {"sequence_number", count_}, {"response", std::move(response)}};
    return "event: response.failed\ndata: " + json::serialize(last) + "\n\n";
}

}  // namespace planetserve::adapters
