#include "inference/conversation_writer.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <utility>

#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

std::string_view text_or_nothing(const json::value* value) { return text_of(value).value_or(std::string_view()); }

std::unexpected<Error> unusable_item(std::string why) { return fail(ErrorCode::invalid_argument, std::move(why)); }

// Arguments are JSON as text in most APIs, and JSON in Anthropic's.
std::string arguments_of(const json::value* value) {
    if (auto text = text_of(value)) return std::string(*text);
    return is_given(value) ? compact(*value) : std::string();
}

// Writes the conversation of one request.
class ConversationWriter {
public:
    ConversationWriter(const json::value& body, PromptWriter& writer) : body_(body), writer_(writer) {}

    // `system` is null where the system's text is one of the messages.
    Status chat(const json::value* system) {
        const auto* messages = list_of(find(&body_, "messages"));
        if (messages == nullptr) return unusable_item("'messages' is no list");
        return conversation(system, *messages);
    }

    Status responses() {
        for (const char* name : {"previous_response_id", "conversation", "prompt"})
            if (is_given(find(&body_, name))) return unusable_item("'" + std::string(name) + "' is stored elsewhere");
        const auto* input = find(&body_, "input");
        if (const auto* items = list_of(input)) return conversation(find(&body_, "instructions"), *items);
        if (!text_of(input)) return unusable_item("'input' is neither text nor a list");
        begin_conversation(find(&body_, "instructions"));
        message("user", input, nullptr);
        return {};
    }

private:
    // Templates put the tools right behind the system's text, or before it.
    void begin_conversation(const json::value* system) {
        bool told = is_given(system) && !(system->is_string() && system->get_string().empty());
        if (told) message("system", system, nullptr);
        settings();
    }

    Status conversation(const json::value* system, const json::array& messages) {
        bool leads = !is_given(system) && !messages.empty() &&
                     template_role(text_or_nothing(find(&messages[0], "role"))) == "system";
        if (!leads) begin_conversation(system);
        for (const auto& each : messages) {
            if (Status written = item(each); !written) return written;
            if (std::exchange(leads, false)) settings();
        }
        return {};
    }

    void settings() {
        const auto* variables = find(&body_, "chat_template_kwargs");
        if (variables != nullptr && variables->is_object() && !variables->get_object().empty()) {
            writer_.mark(Mark::setting);
            writer_.text("chat_template_kwargs");
            writer_.mark(Mark::content);
            writer_.text(compact(*variables));
        }
        if (const auto* tools = list_of(find(&body_, "tools")))
            for (const auto& each : *tools) tool(each);
    }

    void tool(const json::value& offered) {
        const auto* nested = find(&offered, "function");
        const json::value* described = nested != nullptr ? nested : &offered;
        const auto* parameters = find(described, "parameters");
        if (parameters == nullptr) parameters = find(described, "input_schema");
        writer_.mark(Mark::tool);
        writer_.text(text_or_nothing(find(described, "name")));
        writer_.mark(Mark::content);
        writer_.text(text_or_nothing(find(described, "description")));
        writer_.mark(Mark::arguments);
        // One of the server's own, such as a search, is its settings.
        writer_.text(compact(parameters != nullptr ? *parameters : *described));
    }

    // A message, or another item of /v1/responses.
    Status item(const json::value& value) {
        if (!value.is_object()) return unusable_item("a message is no object");
        std::string_view type = text_or_nothing(find(&value, "type"));
        if (type == "reasoning") return {};
        if (type == "item_reference") return unusable_item("an item is stored elsewhere");
        if (type == "function_call") {
            if (role_ != "assistant") begin_message("assistant");
            writer_.call(text_or_nothing(find(&value, "name")), arguments_of(find(&value, "arguments")));
            return {};
        }
        if (type == "function_call_output") {
            message("tool", find(&value, "output"), nullptr);
            return {};
        }
        if (auto role = text_of(find(&value, "role"))) {
            message(*role, find(&value, "content"), list_of(find(&value, "tool_calls")));
            return {};
        }
        if (type.empty()) return unusable_item("a message has no role");
        begin_message(type);
        writer_.other(value);
        return {};
    }

    void begin_message(std::string_view role) {
        role_ = role;
        writer_.begin_message(role);
    }

    void message(std::string_view role, const json::value* content, const json::array* calls) {
        const auto* parts = list_of(content);
        auto is_result = [](const json::value& part) { return text_or_nothing(find(&part, "type")) == "tool_result"; };
        // Anthropic's form has the results of tools among a user's parts. They become messages after the user's own.
        bool only_results = parts != nullptr && !parts->empty() && std::ranges::all_of(*parts, is_result);
        if (!only_results) {
            begin_message(role);
            contents(content);
            if (parts != nullptr)
                for (const auto& part : *parts)
                    if (text_or_nothing(find(&part, "type")) == "tool_use")
                        writer_.call(text_or_nothing(find(&part, "name")), arguments_of(find(&part, "input")));
            if (calls != nullptr)
                for (const auto& each : *calls) {
                    const auto* function = find(&each, "function");
                    writer_.call(text_or_nothing(find(function, "name")), arguments_of(find(function, "arguments")));
                }
        }
        if (parts == nullptr) return;
        for (const auto& part : *parts) {
            if (!is_result(part)) continue;
            begin_message("tool");
            contents(find(&part, "content"));
        }
    }

    // A text, or parts. One part that is text is written as the text alone is.
    void contents(const json::value* content) {
        if (!is_given(content)) return;
        if (auto text = text_of(content)) return writer_.text(*text);
        const auto* parts = list_of(content);
        if (parts == nullptr) return writer_.other(*content);
        bool first = true;
        for (const auto& part : *parts) {
            std::string_view type = text_or_nothing(find(&part, "type"));
            // Reasoning is given back by few clients, and shown by fewer templates.
            if (type == "tool_use" || type == "tool_result" || type == "thinking" || type == "redacted_thinking")
                continue;
            auto text = text_of(find(&part, "text"));
            if (text && (type == "text" || type == "input_text" || type == "output_text")) {
                if (!first) writer_.mark(Mark::next_text);
                writer_.text(*text);
            } else {
                writer_.other(part);
            }
            first = false;
        }
    }

    const json::value& body_;
    PromptWriter& writer_;
    std::string role_;  // of the newest message
};

}  // namespace

Status write_chat(const json::value& body, const json::value* system, PromptWriter& writer) {
    return ConversationWriter(body, writer).chat(system);
}

Status write_responses(const json::value& body, PromptWriter& writer) {
    return ConversationWriter(body, writer).responses();
}

}  // namespace planetserve::inference
