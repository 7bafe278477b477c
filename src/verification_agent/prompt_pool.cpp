#include "verification_agent/prompt_pool.h"

#include "inference/bounded_json.h"

namespace planetserve::verification_agent {

namespace {

constexpr std::size_t most_messages = 32;
constexpr std::size_t line_memory = 1 << 20;

// What is wrong with a conversation; empty when nothing is.
std::string_view wrong(const boost::json::array* messages) {
    if (messages == nullptr || messages->empty() || messages->size() > most_messages)
        return "is no list of 1 to 32 messages";
    std::optional<std::string_view> role;
    for (const auto& message : *messages) {
        role = inference::text_of(inference::find(&message, "role"));
        if (role != "system" && role != "user" && role != "assistant")
            return "has a message whose 'role' is none of system, user and assistant";
        auto content = inference::text_of(inference::find(&message, "content"));
        if (!content || content->empty()) return "has a message whose 'content' is no text";
        if (message.get_object().size() != 2) return "has a message of more than a 'role' and a 'content'";
    }
    return role == "user" ? "" : "does not end with the user's message";
}

}  // namespace

Result<PromptPool> PromptPool::parse(std::string_view text) {
    if (text.size() > largest_file) return fail(ErrorCode::exhausted, "a prompt pool of more than 64 MiB");
    PromptPool pool;
    pool.digest_ = crypto::sha256(as_bytes(text));
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const std::string where = "line " + std::to_string(++number) + " of the prompt pool ";
        if (line.size() > largest_prompt) return fail(ErrorCode::malformed, where + "has more than 8 KiB");
        auto messages = inference::parse_json(line, line_memory);
        if (!messages) return fail(ErrorCode::malformed, where + "is not JSON: " + messages.error().message);
        if (auto why = wrong(inference::list_of(&*messages)); !why.empty())
            return fail(ErrorCode::malformed, where + std::string(why));
        pool.prompts_.push_back(inference::compact(*messages));
    }
    if (pool.prompts_.size() < fewest)
        return fail(ErrorCode::malformed, "the prompt pool has " + std::to_string(pool.prompts_.size()) +
                                              " conversations, of which the last is soon known; 100 are the fewest");
    return pool;
}

}  // namespace planetserve::verification_agent
