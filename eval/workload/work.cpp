#include "eval/workload/work.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <numeric>

namespace planetserve::eval {

namespace json = boost::json;

namespace {

std::unexpected<Error> bad(const std::string& why) { return fail(ErrorCode::malformed, why); }

Status take_prompt(WorkItem& item, const json::object& object) {
    const auto* prompt = object.if_contains("prompt");
    const auto* messages = object.if_contains("messages");
    if ((prompt == nullptr) == (messages == nullptr)) return bad("has to have either \"prompt\" or \"messages\"");
    if (prompt) {
        if (!prompt->is_string()) return bad("\"prompt\" is not a string");
        item.messages = user_message(prompt->get_string());
        return {};
    }
    if (!messages->is_array() || messages->get_array().empty())
        return bad("\"messages\" is not an array with messages");
    for (const auto& message : messages->get_array())
        if (!message.is_object() || !message.get_object().contains("role"))
            return bad("\"messages\" holds something without a role");
    item.messages = json::serialize(*messages);
    return {};
}

Result<WorkItem> parse_item(std::string_view line) {
    boost::system::error_code error;
    json::value value = json::parse(line, error);
    if (error || !value.is_object()) return bad("is not a JSON object");
    const auto& object = value.get_object();
    WorkItem item;
    for (const auto& [key, field] : object) {
        if (key == "timestamp_ms") {
            double ms = field.is_number() ? field.to_number<double>() : -1;
            if (!(ms >= 0 && ms < 1e12)) return bad("\"timestamp_ms\" is not a number of milliseconds");
            item.at = Duration(static_cast<std::int64_t>(ms * 1000));
        } else if (key == "max_tokens") {
            double tokens = field.is_number() ? field.to_number<double>() : 0;
            if (!(tokens >= 1 && tokens <= token_limit))
                return bad("\"max_tokens\" is not between 1 and " + std::to_string(token_limit));
            item.max_tokens = static_cast<std::uint32_t>(tokens);
        } else if (key == "session") {
            if (!field.is_string() || field.get_string().size() > 256)
                return bad("\"session\" is not a string of at most 256 characters");
            item.session = field.get_string();
        } else if (key != "prompt" && key != "messages") {
            return bad("has the unknown key \"" + std::string(key) + "\"");
        }
    }
    if (Status taken = take_prompt(item, object); !taken) return std::unexpected(taken.error());
    return item;
}

}  // namespace

std::string user_message(std::string_view prompt) {
    return json::serialize(
        json::value{{{"role", "user"}, {"content", json::string_view(prompt.data(), prompt.size())}}});
}

Result<std::vector<WorkItem>> parse_workload(std::string_view text) {
    std::vector<WorkItem> items;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.find_first_not_of(" \t") == line.npos || line.starts_with('#')) continue;
        std::string where = "line " + std::to_string(number) + " ";
        if (line.size() > line_size_limit) return bad(where + "is too long");
        if (items.size() == item_limit) return bad("more than " + std::to_string(item_limit) + " requests");
        auto item = parse_item(line);
        if (!item) return bad(where + item.error().message);
        items.push_back(std::move(*item));
    }
    if (items.empty()) return bad("there are no requests in it");
    return items;
}

void arrive_at_rate(std::vector<WorkItem>& items, double rate, Random& random) {
    double at = 0;
    for (auto& item : items) {
        item.at = Duration(static_cast<std::int64_t>(at * 1e6));
        at += -std::log(1 - random.unit()) / rate;
    }
}

Status arrive_as_given(std::vector<WorkItem>& items, double speed) {
    for (const auto& item : items)
        if (!item.at) return fail(ErrorCode::invalid_argument, "a request has no time of its own; give a rate");
    // By time, else as they came.
    std::vector<std::size_t> order(items.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(*items[i].at, i); });
    std::vector<WorkItem> sorted;
    for (std::size_t i : order) sorted.push_back(std::move(items[i]));
    items = std::move(sorted);
    if (items.empty()) return {};
    Duration first = *items.front().at;
    for (auto& item : items)
        item.at = Duration(static_cast<std::int64_t>(static_cast<double>((*item.at - first).count()) / speed));
    return {};
}

}  // namespace planetserve::eval
