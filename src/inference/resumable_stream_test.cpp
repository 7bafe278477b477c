#include "inference/resumable_stream.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "inference/answer_reader.h"
#include "inference/bounded_json.h"

namespace planetserve::inference {
namespace {

namespace json = boost::json;

const std::string chat = "/v1/chat/completions";
const std::string seeded =
    R"({"model":"m","stream":true,"seed":7,"cache_prompt":false,"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]})";
const std::string drawn = R"({"model":"m","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"Hi"}]})";
const ReplyHead event_head{200, {{"content-type", "text/event-stream"}}};

const std::vector<std::string> pieces = {
    "Once", " upon", " a", " time",   ",",   " a fox\n", "\n", "ran \xf0\x9f\xa6\x8a",
    " and", " ran",  ".",  " \"So\"", " it", " said",    "."};

std::string text_of_pieces(std::size_t from = 0, std::size_t to = pieces.size()) {
    std::string text;
    for (std::size_t i = from; i < to; ++i) text += pieces[i];
    return text;
}

std::string event(const json::value& value) { return "data: " + json::serialize(value) + "\n\n"; }

// A reply as llama-server writes it.
struct Engine {
    bool for_chat = true;
    std::string id = "chatcmpl-1";
    std::int64_t created = 1000;

    json::object head() const {
        return {{"id", id}, {"created", created}, {"model", "m"}, {"object", "chat.completion.chunk"}};
    }
    std::string chunk(json::object choice, bool finishes = false) const {
        json::object all = head();
        choice["index"] = 0;
        choice["finish_reason"] = finishes ? json::value("stop") : json::value(nullptr);
        all["choices"] = json::array{choice};
        return event(all);
    }
    std::string text(const std::string& piece) const {
        if (!for_chat) return chunk({{"text", piece}});
        return chunk({{"delta", json::object{{"content", piece}}}});
    }
    std::string opening() const {
        return for_chat ? chunk({{"delta", json::object{{"role", "assistant"}, {"content", nullptr}}}}) : "";
    }
    std::string closing(std::size_t prompt_tokens, std::size_t answer_tokens) const {
        json::object usage = head();
        usage["choices"] = json::array();
        usage["usage"] = json::object{{"prompt_tokens", prompt_tokens},
                                      {"completion_tokens", answer_tokens},
                                      {"total_tokens", prompt_tokens + answer_tokens},
                                      {"prompt_tokens_details", {{"cached_tokens", prompt_tokens - 1}}}};
        json::object last = for_chat ? json::object{{"delta", json::object()}} : json::object{{"text", ""}};
        return chunk(last, true) + event(usage) + "data: [DONE]\n\n";
    }
    std::string reply(const std::vector<std::string>& said, std::size_t prompt_tokens = 10) const {
        std::string all = opening();
        for (const auto& piece : said) all += text(piece);
        return all + closing(prompt_tokens, said.size());
    }
};

struct Reader {
    std::string bytes;

    void take(const Bytes& more) { bytes += as_text(more); }
    Answer answer(const std::string& path = chat) const {
        AnswerReader reader(*api_of(path));
        reader.on_head(event_head);
        reader.feed(as_bytes(bytes));
        reader.end();
        return reader.answer();
    }
    // All events of one stream: one id, one time, one opening.
    void check_form() const {
        EventStream events;
        std::size_t openings = 0, ends = 0;
        std::set<std::string> ids;
        ASSERT_TRUE(events.feed(bytes, [&](std::string_view data) {
            if (data == "[DONE]") return ++ends, true;
            auto value = parse_json(data, 1 << 20);
            auto id = text_of(find(&*value, "id"));
            EXPECT_EQ(count_of(find(&*value, "created")), id == "chatcmpl-1" ? 1000u : 2000u);
            ids.insert(std::string(id.value_or("")));
            for (const auto& choice : *list_of(find(&*value, "choices")))
                openings += is_given(find(find(&choice, "delta"), "role")) ? 1 : 0;
            return true;
        }));
        EXPECT_EQ(ids.size(), 1u);
        EXPECT_LE(openings, 1u);
        EXPECT_EQ(ends, 1u);
    }
};

json::value parsed(const Bytes& body) { return parse_json(as_text(body), 1 << 20).value(); }

std::string last_message(const Bytes& body) {
    json::value value = parsed(body);
    return std::string(*text_of(find(&list_of(find(&value, "messages"))->back(), "content")));
}

std::vector<std::string> tail(std::size_t from) {
    return {pieces.begin() + static_cast<std::ptrdiff_t>(from), pieces.end()};
}

// The one that goes on signs the rest, which is not what the reader asked for; a whole first reply keeps its own.
TEST(ResumableStream, AnAnswerOfTwoNodesHasNoSignature) {
    auto with_signature = [](std::string reply) {
        std::size_t event = reply.rfind("data: {", reply.find(R"("finish_reason":"stop")"));
        return reply.insert(event + 7, R"("planetserve":{"signed_answer":"abcd"},)");
    };
    for (const std::string& body : {drawn, seeded}) {
        ResumableStream stream(chat, to_bytes(body));
        ASSERT_TRUE(stream.on_head(event_head));
        Reader reader;
        const std::string whole = with_signature(Engine{}.reply(pieces));
        reader.take(stream.take(as_bytes(whole)));
        EXPECT_NE(reader.bytes.find("signed_answer"), std::string::npos);

        ResumableStream broken(chat, to_bytes(body));
        ASSERT_TRUE(broken.on_head(event_head));
        Reader second;
        second.take(broken.take(as_bytes(whole.substr(0, whole.size() / 2))));
        ASSERT_TRUE(broken.resume());
        ASSERT_TRUE(broken.on_head(event_head));
        second.take(broken.take(as_bytes(whole)));
        second.take(broken.end());
        EXPECT_EQ(second.bytes.find("planetserve"), std::string::npos);
        EXPECT_EQ(second.answer().text, text_of_pieces());
    }
}

TEST(ResumableStream, PassesAStreamAsItIs) {
    std::string reply = Engine{}.reply(pieces);
    ResumableStream stream(chat, to_bytes(drawn));
    ASSERT_TRUE(stream.on_head(event_head));
    Reader reader;
    for (char byte : reply) reader.take(stream.take(as_bytes(std::string_view(&byte, 1))));
    reader.take(stream.end());
    EXPECT_EQ(reader.bytes, reply);
}

TEST(ResumableStream, PassesWholeEventsAtOnceAndHoldsTheRest) {
    ResumableStream stream(chat, to_bytes(drawn));
    stream.on_head(event_head);
    std::string one = Engine{}.text("a"), two = Engine{}.text("b");
    EXPECT_EQ(as_text(stream.take(as_bytes(one + two.substr(0, 20)))), one);
    EXPECT_EQ(as_text(stream.take(as_bytes(two.substr(20)))), two);
}

// Where it breaks off, how the bytes are split, what the next engine does: the reader sees one whole answer.
TEST(ResumableStream, GoesOnFromAnywhere) {
    enum class Next { replays, echoes, goes_on, trims };
    for (Next next : {Next::replays, Next::echoes, Next::goes_on, Next::trims}) {
        SeededRandom random(static_cast<std::uint64_t>(next) + 1);
        for (int run = 0; run < 300; ++run) {
            ResumableStream stream(chat, to_bytes(next == Next::replays ? seeded : drawn));
            Reader reader;
            Engine first, second{.id = "chatcmpl-2", .created = 2000};
            auto feed = [&](std::string_view bytes) {
                while (!bytes.empty()) {
                    std::size_t size = std::min<std::size_t>(1 + random.below(200), bytes.size());
                    reader.take(stream.take(as_bytes(bytes.substr(0, size))));
                    bytes.remove_prefix(size);
                }
            };
            ASSERT_TRUE(stream.on_head(event_head));
            std::string whole = first.reply(pieces);
            feed(whole.substr(0, random.below(whole.size())));
            std::string had = reader.answer().text;
            SCOPED_TRACE(std::to_string(run) + ": '" + had + "'");
            auto body = stream.resume();
            ASSERT_TRUE(body) << body.error().message;
            if (!body->empty()) {
                ASSERT_TRUE(stream.on_head(event_head));
                std::size_t known = 0;
                while (text_of_pieces(0, known) != had) ++known;
                if (next == Next::replays || had.empty()) {
                    EXPECT_EQ(as_text(*body), next == Next::replays ? seeded : drawn);
                    feed(second.reply(pieces));
                } else {
                    EXPECT_EQ(last_message(*body), had);
                    auto said = tail(known);
                    if (next == Next::echoes) said.insert(said.begin(), had);
                    if (next == Next::trims) {
                        std::size_t end = had.find_last_not_of(" \n") + 1;
                        said.insert(said.begin(), had.substr(0, end));
                        // What was cut off is drawn anew, or not.
                        if (end < had.size() && random.below(2) == 0) said.insert(said.begin() + 1, had.substr(end));
                    }
                    feed(second.reply(said));
                }
                ASSERT_FALSE(stream.deviated());
            }
            reader.take(stream.end());
            reader.check_form();
            auto answer = reader.answer();
            // An answer that goes on after the space at its end may lack a part of that space.
            auto squeezed = [](std::string text) {
                std::erase(text, '\n');
                return text;
            };
            if (next == Next::trims)
                EXPECT_EQ(squeezed(answer.text), squeezed(text_of_pieces()));
            else
                EXPECT_EQ(answer.text, text_of_pieces());
            EXPECT_FALSE(answer.finish_reason.empty());
        }
    }
}

TEST(ResumableStream, CanBreakOffAgainAndAgain) {
    ResumableStream stream(chat, to_bytes(drawn));
    Reader reader;
    for (std::size_t leg = 0; leg < 5; ++leg) {
        ASSERT_TRUE(stream.on_head(event_head));
        Engine engine{.id = "chatcmpl-" + std::to_string(leg + 1), .created = 1000};
        reader.take(stream.take(as_bytes(engine.opening())));
        if (leg > 0) reader.take(stream.take(as_bytes(engine.text(text_of_pieces(0, 3 * leg)))));
        for (std::size_t i = 0; i < 3; ++i) reader.take(stream.take(as_bytes(engine.text(pieces[3 * leg + i]))));
        if (leg == 4) break;
        auto body = stream.resume();
        ASSERT_TRUE(body);
        EXPECT_EQ(last_message(*body), text_of_pieces(0, 3 * leg + 3));
        EXPECT_EQ(count_of(find(&static_cast<const json::value&>(parsed(*body)), "max_tokens")), 100 - 3 * (leg + 1));
    }
    reader.take(stream.take(as_bytes(Engine{}.closing(10 + 12, 3))));
    reader.check_form();
    EXPECT_EQ(reader.answer().text, text_of_pieces());
    EXPECT_EQ(reader.answer().usage.prompt_tokens, 10u);
    EXPECT_EQ(reader.answer().usage.completion_tokens, 15u);
    EXPECT_EQ(reader.answer().usage.cached_tokens, 10u) << "no more than the prompt that the client sent";
}

TEST(ResumableStream, AsksForTheRestWhenAReplayIsAnotherAnswer) {
    for (bool too_short : {false, true}) {
        ResumableStream stream(chat, to_bytes(seeded));
        stream.on_head(event_head);
        Engine engine;
        Reader reader;
        reader.take(stream.take(as_bytes(engine.opening() + engine.text("One two") + engine.text(" three"))));
        EXPECT_EQ(as_text(*stream.resume()), seeded);
        stream.on_head(event_head);
        std::string other = too_short ? engine.closing(1, 1) : engine.text(" tree");
        reader.take(stream.take(as_bytes(engine.opening() + engine.text("One two") + other)));
        ASSERT_TRUE(stream.deviated());
        auto body = stream.resume();
        ASSERT_TRUE(body);
        EXPECT_EQ(last_message(*body), "One two three");
        stream.on_head(event_head);
        reader.take(stream.take(as_bytes(engine.opening() + engine.text(" four") + engine.closing(13, 1))));
        EXPECT_FALSE(stream.deviated());
        reader.check_form();
        EXPECT_EQ(reader.answer().text, "One two three four");
    }
}

TEST(ResumableStream, GivesTheEndWhenNothingElseIsMissing) {
    std::string body = R"({"stream":true,"max_tokens":2,"messages":[{"role":"user","content":"Hi"}]})";
    for (bool finished : {false, true}) {
        ResumableStream stream(chat, to_bytes(body));
        stream.on_head(event_head);
        Engine engine;
        Reader reader;
        std::string came = engine.opening() + engine.text("a") + engine.text("b");
        if (finished) came += engine.chunk({{"delta", json::object()}}, true);
        reader.take(stream.take(as_bytes(came)));
        EXPECT_EQ(stream.resume().value(), Bytes());
        reader.take(stream.end());
        reader.check_form();
        EXPECT_EQ(reader.answer().text, "ab");
        EXPECT_EQ(reader.answer().finish_reason, finished ? "stop" : "length");
    }
}

TEST(ResumableStream, GoesOnWithACompletion) {
    const std::string path = "/v1/completions";
    ResumableStream stream(path, to_bytes(std::string(R"({"stream":true,"prompt":"Say","n_predict":50})")));
    stream.on_head(event_head);
    Engine engine{.for_chat = false}, other{.for_chat = false, .id = "chatcmpl-9", .created = 9};
    Reader reader;
    reader.take(stream.take(as_bytes(engine.text(" it") + engine.text(" now") + engine.text(" or").substr(0, 30))));
    auto body = stream.resume();
    ASSERT_TRUE(body);
    json::value asked = parsed(*body);
    EXPECT_EQ(text_of(find(&asked, "prompt")), "Say it now");
    EXPECT_EQ(count_of(find(&asked, "n_predict")), 48u);
    stream.on_head(event_head);
    reader.take(stream.take(as_bytes(other.reply({" or", " never"}))));
    reader.take(stream.end());
    reader.check_form();
    EXPECT_EQ(reader.answer(path).text, " it now or never");
}

TEST(ResumableStream, GoesOnWithAnAnswerThatWasBegunByTheUser) {
    std::string body =
        R"({"stream":true,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"We"}]})";
    for (bool echoed : {false, true}) {
        ResumableStream stream(chat, to_bytes(body));
        stream.on_head(event_head);
        Engine engine;
        stream.take(as_bytes((echoed ? engine.text("We") : "") + engine.text(" are")));
        EXPECT_EQ(last_message(*stream.resume()), "We are");
    }
}

TEST(ResumableStream, RefusesWhatCannotBeGoneOnWith) {
    auto refuses = [](const std::string& path, const std::string& body, const ReplyHead& head,
                      const std::string& came) {
        ResumableStream stream(path, to_bytes(body));
        EXPECT_TRUE(stream.on_head(head));
        Reader reader;
        reader.take(stream.take(as_bytes(came)));
        reader.take(stream.end());
        EXPECT_EQ(reader.bytes, came) << "it passes all the same";
        return !stream.resume();
    };
    Engine engine;
    std::string said = engine.opening() + engine.text("a");
    EXPECT_FALSE(refuses(chat, drawn, event_head, said));
    EXPECT_TRUE(refuses(chat, drawn, {200, {{"content-type", "application/json"}}}, "{}"));
    EXPECT_TRUE(refuses(chat, drawn, {400, {{"content-type", "text/event-stream"}}}, said));
    EXPECT_TRUE(refuses("/v1/responses", drawn, event_head, said));
    EXPECT_TRUE(refuses(chat, std::string(ResumableStream::body_limit + 1, ' '), event_head, said));
    EXPECT_TRUE(refuses(chat, drawn, event_head, "data: {nonsense\n\n" + said));
    EXPECT_TRUE(refuses(chat, drawn, event_head, said + "data: {\"error\":{\"message\":\"no\"}}\n\n"));
    auto call = engine.chunk({{"delta", json::object{{"tool_calls", json::array{json::object{{"index", 0}}}}}}});
    EXPECT_TRUE(refuses(chat, drawn, event_head, said + call));
    auto thought = engine.chunk({{"delta", json::object{{"reasoning_content", "Hm"}}}});
    EXPECT_TRUE(refuses(chat, drawn, event_head, thought));
    for (const char* member :
         {R"("n":2)", R"("response_format":{"type":"json_object"})", R"("grammar":"root ::= .")"}) {
        std::string body =
            std::string(R"({"stream":true,)") + member + R"(,"messages":[{"role":"user","content":"Hi"}]})";
        EXPECT_TRUE(refuses(chat, body, event_head, said)) << member;
    }
    EXPECT_TRUE(refuses("/v1/completions", R"({"stream":true,"prompt":[1,2]})", event_head, Engine{false}.text("a")));
}

TEST(ResumableStream, TakesOnlyAStreamForTheRest) {
    ResumableStream stream(chat, to_bytes(drawn));
    stream.on_head(event_head);
    stream.take(as_bytes(Engine{}.text("a")));
    ASSERT_TRUE(stream.resume());
    EXPECT_FALSE(stream.on_head({400, {{"content-type", "application/json"}}}));
    EXPECT_FALSE(stream.on_head({200, {{"content-type", "application/json"}}}));
    EXPECT_TRUE(stream.on_head(event_head));
}

TEST(ResumableStream, HoldsNoMoreThanAnEvent) {
    ResumableStream stream(chat, to_bytes(drawn));
    stream.on_head(event_head);
    std::string endless = "data: " + std::string(EventStream::limit, 'x');
    Reader reader;
    reader.take(stream.take(as_bytes(endless)));
    EXPECT_EQ(reader.bytes, endless);
    EXPECT_FALSE(stream.resume());
}

}  // namespace
}  // namespace planetserve::inference
