#include "inference/prompt_writer.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "crypto/hash.h"
#include "inference/bounded_json.h"
#include "inference/prompt.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::size_t arguments_memory_limit = 32 << 20;

bool begins_with(ByteView prompt, Mark mark) {
    return prompt.size() >= 2 && prompt[0] == mark_byte && prompt[1] == static_cast<std::uint8_t>(mark);
}

// The text of the message at the prompt's end, if it is the assistant's and text alone.
std::optional<std::string_view> begun_answer(std::string_view prompt) {
    constexpr std::string_view head =
        "\xff\x01"
        "assistant\xff\x02";
    std::size_t at = prompt.rfind(head.substr(0, 2));
    if (at == prompt.npos || !prompt.substr(at).starts_with(head)) return std::nullopt;
    std::string_view content = prompt.substr(at + head.size());
    return content.find(static_cast<char>(mark_byte)) == content.npos ? std::optional(content) : std::nullopt;
}

}  // namespace

bool PromptWriter::has_room(std::size_t size) {
    full_ = full_ || out_.size() > limit_ || size > limit_ - out_.size();
    return !full_;
}

void PromptWriter::mark(Mark mark) {
    if (!has_room(2)) return;
    out_.push_back(mark_byte);
    out_.push_back(static_cast<std::uint8_t>(mark));
}

void PromptWriter::text(std::string_view text) {
    if (!has_room(text.size())) return;
    if (text.find(static_cast<char>(mark_byte)) == text.npos) return append(out_, as_bytes(text));
    std::ranges::copy_if(as_bytes(text), std::back_inserter(out_), [](std::uint8_t byte) { return byte != mark_byte; });
}

void PromptWriter::token(std::uint32_t id) {
    if (has_room(4)) ByteWriter(out_).u32(id);
}

void PromptWriter::begin_message(std::string_view role) {
    mark(Mark::message);
    text(template_role(role));
    mark(Mark::content);
}

void PromptWriter::call(std::string_view name, std::string_view arguments) {
    mark(Mark::call);
    text(name);
    mark(Mark::arguments);
    if (arguments.find_first_not_of(" \t\r\n") == arguments.npos) return text("{}");
    // Clients parse arguments and write them again, so equal values must give equal text.
    auto parsed = parse_json(arguments, arguments_memory_limit);
    text(parsed ? compact(*parsed) : arguments);
}

void PromptWriter::other(const json::value& value) {
    mark(Mark::other);
    if (full_) return;
    crypto::Sha256 hash;
    if (const auto* object = value.if_object()) {
        for (const auto& [name, member] : *object) {
            if (name == "cache_control") continue;
            hash.update(as_bytes(compact(json::string_view(name))));
            hash.update(as_bytes(compact(member)));
        }
    } else {
        hash.update(as_bytes(compact(value)));
    }
    text(to_hex(hash.finish()));
}

std::string_view template_role(std::string_view role) { return role == "developer" ? "system" : role; }

void append_answer(Bytes& prompt, std::string_view text, const std::vector<ToolCall>& tool_calls) {
    if (begins_with(prompt, Mark::tokens)) return;
    PromptWriter writer(prompt);
    if (begins_with(prompt, Mark::text)) return writer.text(text);
    if (auto begun = begun_answer(as_text(prompt)))
        text.remove_prefix(text.starts_with(*begun) ? begun->size() : 0);
    else
        writer.begin_message("assistant");
    writer.text(text);
    for (const ToolCall& call : tool_calls) writer.call(call.name, call.arguments);
}

}  // namespace planetserve::inference
