#include "verifier/challenge.h"

#include <array>
#include <boost/json.hpp>
#include <span>
#include <string_view>

#include "base/random.h"

namespace planetserve::verifier {

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

std::string_view pick(Random& random, Texts texts) { return texts[random.below(texts.size())]; }

}  // namespace

Challenge make_challenge(const ChallengeSeed& seed, const std::string& model) {
    ByteReader reader(seed.bytes());
    SeededRandom random(reader.u64());
    json::array messages;
    if (random.below(3) != 0) messages.push_back(json::object{{"role", "system"}, {"content", pick(random, systems)}});
    std::string question(pick(random, questions));
    question.replace(question.find("{}"), 2, pick(random, topics));
    messages.push_back(json::object{{"role", "user"}, {"content", question}});
    Challenge challenge;
    const double temperature = random.below(2) == 0 ? 0.8 : 1.0;
    challenge.profile.temperature = static_cast<float>(temperature);
    challenge.profile.top_k = 40;
    challenge.profile.max_tokens = static_cast<std::uint32_t>(64 + 32 * random.below(5));
    challenge.messages = json::serialize(messages);
    // top_p and min_p so that no candidate of the top_k is left out: what is drawn is then top_k's and the
    // temperature's alone. Numbers as people write them.
    challenge.body = R"({"model":)" + json::serialize(json::value(model)) + R"(,"messages":)" + challenge.messages +
                     R"(,"temperature":)" + (temperature < 1 ? "0.8" : "1.0") +
                     R"(,"top_k":40,"top_p":1.0,"min_p":0.0)" + R"(,"max_tokens":)" +
                     std::to_string(challenge.profile.max_tokens) + "}";
    return challenge;
}

}  // namespace planetserve::verifier
