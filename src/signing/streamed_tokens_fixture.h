// For tests: events as llama-server 0.5.0 streams them when asked for the tokens, cut to what matters.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace planetserve::signing::testing_support {

struct StreamFixture {
    std::string text = {};
    unsigned told = 0;  // tokens so far, with those that no event names

    static std::string event(const std::string& data) { return "data: " + data + "\n\n"; }
    static std::string chunk(const std::string& choice, const std::string& more = {}) {
        return event(R"({"choices":[{"index":0,)" + choice +
                     R"(}],"created":1,"id":"c1","model":"m","object":"chat.completion.chunk")" + more + "}");
    }
    // `skipped` tokens are held back before this one. Their text is in its event.
    StreamFixture& token(unsigned id, std::string_view said, unsigned skipped = 0) {
        told += skipped + 1;
        std::string bytes;
        for (unsigned char c : said) bytes += (bytes.empty() ? "" : ",") + std::to_string(c);
        text += chunk(R"("finish_reason":null,"delta":{"content":")" + std::string(said) +
                          R"("},"logprobs":{"content":[{"id":)" + std::to_string(id) + R"(,"token":"","bytes":[)" +
                          bytes + R"(],"prob":0.5,"top_probs":[]}]})",
                      R"(,"timings":{"predicted_n":)" + std::to_string(told) + "}");
        return *this;
    }
    // `untold` tokens came without an event, the one that ends the text among them.
    StreamFixture& end(std::string_view stop, unsigned untold, bool usage = false) {
        const std::string timings = R"(,"timings":{"predicted_n":)" + std::to_string(told + untold) + "}";
        text += chunk(R"("finish_reason":")" + std::string(stop == "limit" ? "length" : "stop") + R"(","delta":{})",
                      (usage ? "" : timings) + R"(,"__verbose":{"tokens":[],"tokens_predicted":)" +
                          std::to_string(told + untold) + R"(,"tokens_evaluated":31,"truncated":false,"stop_type":")" +
                          std::string(stop) + R"(","prompt":"secret template"})");
        if (usage) text += event(R"({"choices":[],"created":1,"id":"c1","usage":{"prompt_tokens":31})" + timings + "}");
        text += event("[DONE]");
        return *this;
    }
};

}  // namespace planetserve::signing::testing_support
