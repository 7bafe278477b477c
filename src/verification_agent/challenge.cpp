#include "verification_agent/challenge.h"

#include <array>
#include <boost/json.hpp>
#include <span>
#include <string_view>

#include "base/random.h"

namespace planetserve::verification_agent {

namespace json = boost::json;

namespace {

using Texts = std::span<const std::string_view>;

constexpr auto topics = std::to_array<std::string_view>({"sourdough bread",
                                                         "a bicycle's gears",
                                                         "the tides",
                                                         "compound interest",
                                                         "the French Revolution",
                                                         "house plants",
                                                         "noise in photographs",
                                                         "chess openings",
                                                         "sleep",
                                                         "how vaccines work",
                                                         "a first marathon",
                                                         "renting a flat",
                                                         "the water cycle",
                                                         "black holes",
                                                         "learning Spanish",
                                                         "a job interview",
                                                         "public speaking",
                                                         "recycling plastic",
                                                         "the Silk Road",
                                                         "electric cars",
                                                         "photosynthesis",
                                                         "a vegetable garden",
                                                         "SQL joins",
                                                         "Python lists",
                                                         "unit tests",
                                                         "version control",
                                                         "regular expressions",
                                                         "probability",
                                                         "fractions for children",
                                                         "a family budget",
                                                         "bird migration",
                                                         "volcanoes",
                                                         "jazz",
                                                         "watercolours",
                                                         "a week in Lisbon",
                                                         "hiking in the Alps",
                                                         "rain barrels",
                                                         "coffee",
                                                         "knitting",
                                                         "the immune system",
                                                         "elections",
                                                         "the speed of light",
                                                         "honey bees",
                                                         "old bridges",
                                                         "a cover letter",
                                                         "moving house",
                                                         "backing up a computer",
                                                         "strong passwords",
                                                         "a weekly meal plan",
                                                         "stretching",
                                                         "a birthday party",
                                                         "tomato soup",
                                                         "the Moon landing",
                                                         "whales",
                                                         "medieval castles",
                                                         "train travel",
                                                         "second-hand furniture",
                                                         "writing a diary",
                                                         "the metric system",
                                                         "cloud formations"});

constexpr auto questions = std::to_array<std::string_view>({
    "Can you explain {} to me in simple words?",
    "What are the most common mistakes people make with {}?",
    "I know nothing about {}. Where should I begin?",
    "Write a short paragraph about {} for a newsletter.",
    "Give me five facts about {} and say why each matters.",
    "My daughter asked me about {} today. How would you explain it to a ten-year-old?",
    "Write a friendly e-mail to a colleague who wants to know more about {}.",
    "What would you say to someone who thinks {} is boring?",
    "Make a short plan for one weekend that has to do with {}.",
    "Summarise what matters most about {} in four sentences.",
    "Tell me a little story in which {} plays a part.",
    "Which three questions about {} should I be able to answer, and what are the answers?",
    "Compare {} with something that most people know well.",
    "List the pros and cons of spending more time on {}.",
});

constexpr auto systems = std::to_array<std::string_view>({
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer briefly and to the point.",
    "You are a patient teacher.",
    "You are an editor who writes clear and lively English.",
});

constexpr auto brevities = std::to_array<std::string_view>({
    " Please answer in one sentence.",
    " Two sentences are enough.",
    " Keep it very short.",
    " Just a short answer, please.",
});

std::string_view pick(Random& random, Texts texts) { return texts[random.below(texts.size())]; }

// A number as people write it.
struct Setting {
    std::string_view text;
    double value;
};
using Settings = std::span<const Setting>;

const Setting& pick(Random& random, Settings settings) { return settings[random.below(settings.size())]; }

constexpr auto temperatures =
    std::to_array<Setting>({{"0", 0}, {"0.2", 0.2}, {"0.5", 0.5}, {"0.7", 0.7}, {"0.7", 0.7}, {"1.0", 1}, {"1", 1}});
constexpr auto nucleus_temperatures = std::to_array<Setting>({{"0.6", 0.6}, {"0.7", 0.7}, {"0.8", 0.8}, {"1.0", 1}});
constexpr auto nuclei = std::to_array<Setting>({{"0.9", 0.9}, {"0.95", 0.95}, {"1.0", 1}, {"1", 1}});
constexpr auto least_shares = std::to_array<Setting>({{"0.0", 0}, {"0.05", 0.05}});

// The sampling parameters of a client. OpenAI's members go behind the others of the request, in the order of OpenAI's
// own client; members that only some engines know go last.
struct Sampling {
    std::string openai = {};
    std::string others = {};
    scoring::SamplingProfile profile = scoring::usual_sampling;
};

Sampling make_sampling(Random& random) {
    Sampling sampling;
    auto temperature = [&](Settings settings) {
        const Setting& chosen = pick(random, settings);
        sampling.profile.temperature = static_cast<float>(chosen.value);
        sampling.openai += R"(,"temperature":)" + std::string(chosen.text);
    };
    auto top_p = [&] {
        const Setting& chosen = pick(random, nuclei);
        sampling.profile.top_p = static_cast<float>(chosen.value);
        sampling.openai += R"(,"top_p":)" + std::string(chosen.text);
    };
    switch (random.below(8)) {
        case 0:
        case 1:
        case 2:
            break;
        case 3:
        case 4:
            temperature(temperatures);
            break;
        case 5:
        case 6:
            temperature(nucleus_temperatures);
            top_p();
            break;
        default: {
            temperature(nucleus_temperatures);
            top_p();
            const Setting& min_p = pick(random, least_shares);
            sampling.profile.top_k = 40;
            sampling.profile.min_p = static_cast<float>(min_p.value);
            sampling.others = R"(,"top_k":40,"min_p":)" + std::string(min_p.text);
        }
    }
    return sampling;
}

// A made-up question.
struct Question {
    std::string_view system = {};  // empty: no system message
    std::string text = {};
};

Question make_question(Random& random) {
    Question question;
    if (random.below(3) != 0) question.system = pick(random, systems);
    question.text = pick(random, questions);
    question.text.replace(question.text.find("{}"), 2, pick(random, topics));
    return question;
}

std::string messages_of(const Question& question) {
    json::array messages;
    if (!question.system.empty()) messages.push_back(json::object{{"role", "system"}, {"content", question.system}});
    messages.push_back(json::object{{"role", "user"}, {"content", question.text}});
    return json::serialize(messages);
}

}  // namespace

Challenge make_challenge(const ChallengeSeed& seed, const std::string& model, const PromptPool& pool) {
    ByteReader reader(seed.bytes());
    SeededRandom random(reader.u64());
    Question question;
    if (pool.empty()) question = make_question(random);
    Challenge challenge;
    Sampling sampling = make_sampling(random);
    challenge.profile = sampling.profile;
    // At a low temperature a small model may repeat itself for ever.
    constexpr float least_without_limit = 0.7F;
    std::string limit;
    if (random.below(3) == 0 && challenge.profile.temperature >= least_without_limit) {
        // The conversations of a pool stay unchanged.
        question.text += pick(random, brevities);
    } else {
        challenge.profile.max_tokens = static_cast<std::uint32_t>(64 + 32 * random.below(5));
        limit = (random.below(4) == 0 ? R"(,"max_completion_tokens":)" : R"(,"max_tokens":)") +
                std::to_string(challenge.profile.max_tokens);
    }
    challenge.messages = pool.empty() ? messages_of(question) : pool.pick(random);
    challenge.streamed = random.below(2) == 0;
    std::string stream = challenge.streamed ? R"(,"stream":true)" : "";
    if (challenge.streamed && random.below(2) == 0) stream += R"(,"stream_options":{"include_usage":true})";
    challenge.body = R"({"messages":)" + challenge.messages + R"(,"model":)" + json::serialize(json::value(model)) +
                     limit + stream + sampling.openai + sampling.others + "}";
    return challenge;
}

std::optional<Duration> time_to_answer(const Challenge& challenge) {
    // The way there and the prompt; then the tokens, at a person's reading pace.
    constexpr Duration first_token = 2s;
    constexpr Duration each_token = 62'500us;
    if (challenge.profile.max_tokens == 0) return std::nullopt;
    return first_token + each_token * challenge.profile.max_tokens;
}

}  // namespace planetserve::verification_agent
