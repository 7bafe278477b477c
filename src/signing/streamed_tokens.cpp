#include "signing/streamed_tokens.h"

#include <algorithm>
#include <utility>

#include "inference/bounded_json.h"

namespace planetserve::signing {

namespace json = boost::json;
using inference::find;
using inference::write_event;
using scoring::TokenId;

namespace {

constexpr std::size_t event_memory_limit = 16 << 20;  // bytes that a parsed event may take

std::optional<std::string> text_of_bytes(const json::value* value) {
    const json::array* list = inference::list_of(value);
    if (!list) return std::nullopt;
    std::string text;
    for (const json::value& one : *list) {
        auto byte = inference::count_of(&one);
        if (!byte || *byte > 255) return std::nullopt;
        text += static_cast<char>(*byte);
    }
    return text;
}

const json::value* first_choice(const json::value& event) {
    const json::array* choices = inference::list_of(find(&event, "choices"));
    return choices != nullptr && !choices->empty() ? &choices->front() : nullptr;
}

}  // namespace

std::optional<std::string> streamed_tokens_members(const json::object& request) {
    auto given = [&](std::string_view name) { return inference::is_given(request.if_contains(name)); };
    std::string members = R"("verbose":true,"timings_per_token":true)";
    if (inference::is_true(request.if_contains("logprobs"))) return members;
    for (const char* name : {"top_logprobs", "n_probs", "post_sampling_probs"})
        if (given(name)) return std::nullopt;
    return members + R"(,"logprobs":true,"top_logprobs":1,"post_sampling_probs":true)";
}

StreamedTokens::StreamedTokens(const json::object& request, std::optional<TokenId> end_token)
    : keep_logprobs_(inference::is_true(request.if_contains("logprobs"))),
      keep_timings_(inference::is_true(request.if_contains("timings_per_token"))),
      end_token_(end_token) {}

Status StreamedTokens::take(ByteView bytes, Bytes& out) {
    return events_.feed(as_text(bytes), [&](std::string_view data) {
        std::string text(data);
        auto event = inference::parse_json(data, event_memory_limit);
        if (event && event->is_object()) {
            read(*event);
            text = inference::compact(*event);
        }
        if (ended_)
            kept_.push_back(std::move(text));
        else
            write_event(text, out);
        return true;
    });
}

void StreamedTokens::read(json::value& event) {
    if (const json::value* verbose = find(&event, "__verbose")) {
        stop_ = inference::text_of(find(verbose, "stop_type")).value_or("");
        truncated_ = inference::is_true(find(verbose, "truncated"));
        total_ = inference::count_of(find(verbose, "tokens_predicted")).value_or(0);
        prompt_tokens_ = inference::count_of(find(verbose, "tokens_evaluated")).value_or(0);
    }
    if (const json::value* choice = first_choice(event)) {
        if (auto predicted = inference::count_of(find(find(&event, "timings"), "predicted_n")))
            count(*choice, *predicted);
        ended_ = ended_ || inference::is_given(find(choice, "finish_reason"));
    }
    strip(event);
}

void StreamedTokens::count(const json::value& choice, std::uint64_t predicted) {
    const json::array* named = inference::list_of(find(find(&choice, "logprobs"), "content"));
    if (!named || named->empty() || !usable_) return;
    auto id = inference::count_of(find(&named->front(), "id"));
    auto text = text_of_bytes(find(&named->front(), "bytes"));
    usable_ = named->size() == 1 && id && *id <= largest_token && text && predicted > predicted_ &&
              tokens_.size() < engine_tokens_limit;
    if (!usable_) return;
    if (std::size_t missing = predicted - predicted_ - 1; missing > 0) {
        // Where the engine's parser held text back, only the event has the whole text.
        auto shown = inference::text_of(find(find(&choice, "delta"), "content")).value_or("");
        if (shown.size() > text->size()) text = shown;
        gap_bytes_ += text->size();
        usable_ = gap_bytes_ <= engine_tokens_limit;
        gaps_.push_back({tokens_.size(), missing, std::move(*text)});
    }
    tokens_.push_back(TokenId(static_cast<std::uint32_t>(*id)));
    predicted_ = predicted;
}

void StreamedTokens::strip(json::value& event) const {
    json::object& members = event.get_object();
    // The last event has its timings in every stream.
    const bool last = stop_ != "";
    members.erase("__verbose");
    if (!keep_timings_ && !last) members.erase("timings");
    if (keep_logprobs_) return;
    auto* choices = members.if_contains("choices");
    if (choices == nullptr || !choices->is_array()) return;
    for (json::value& choice : choices->get_array())
        if (choice.is_object()) choice.get_object().erase("logprobs");
}

std::string StreamedTokens::gaps_request() const {
    if (gaps_.empty() || !usable_) return {};
    json::array texts;
    for (const Gap& gap : gaps_) texts.emplace_back(gap.text);
    return json::serialize(json::object{{"content", texts}, {"add_special", false}, {"parse_special", false}});
}

Result<EngineAnswer> StreamedTokens::answer(std::vector<TokenId> gaps) const {
    auto malformed = [](const char* what) { return fail(ErrorCode::malformed, what); };
    if (!usable_ || !ended_ || total_ < predicted_) return malformed("the stream does not tell its tokens");
    EngineAnswer answer{.prompt_tokens = prompt_tokens_};
    std::span<const TokenId> filling = gaps;
    std::size_t done = 0;
    for (const Gap& gap : gaps_) {
        // The text includes the token behind the gap, which is known. If it differs, the engine cut the text in another
        // way than the model did.
        if (filling.size() <= gap.missing || filling[gap.missing] != tokens_[gap.at])
            return malformed("a gap in the tokens cannot be filled");
        answer.tokens.insert(answer.tokens.end(), tokens_.begin() + static_cast<std::ptrdiff_t>(done),
                             tokens_.begin() + static_cast<std::ptrdiff_t>(gap.at));
        answer.tokens.insert(answer.tokens.end(), filling.begin(),
                             filling.begin() + static_cast<std::ptrdiff_t>(gap.missing));
        filling = filling.subspan(gap.missing + 1);
        done = gap.at;
    }
    if (!filling.empty()) return malformed("a gap in the tokens cannot be filled");
    answer.tokens.insert(answer.tokens.end(), tokens_.begin() + static_cast<std::ptrdiff_t>(done), tokens_.end());
    const std::uint64_t left = total_ - predicted_;
    auto finish = finish_of(stop_, truncated_);
    if (!finish) return std::unexpected(finish.error());
    answer.finish = *finish;
    // The engine leaves out the token that ends a text, and the tokens of a character that a limit cut.
    const bool ends_text = *finish == scoring::FinishReason::end_of_text;
    const std::size_t may_lack = ends_text ? std::size_t{end_token_.has_value()} : scoring::most_held_back;
    if (left > may_lack) return malformed("the end of the stream does not tell its tokens");
    if (ends_text && left == 1) answer.tokens.push_back(*end_token_);
    return answer;
}

Bytes StreamedTokens::rest(const std::string& signed_answer) {
    Bytes out;
    if (!kept_.empty() && !signed_answer.empty()) {
        std::string& end = kept_.front();
        end.pop_back();
        end += R"(,"planetserve":{"signed_answer":")" + signed_answer + R"("}})";
    }
    for (const std::string& event : std::exchange(kept_, {})) write_event(event, out);
    return out;
}

}  // namespace planetserve::signing
