#include "inference/grammar_check.h"

#include <gtest/gtest.h>

#include "inference/pattern_check.h"

namespace planetserve::inference {
namespace {

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

bool takes(const std::string& grammar) { return check_grammar(grammar, GrammarLimits{}).has_value(); }

// The grammar that ended every engine of a network, one after the other.
TEST(GrammarCheck, BracketsThatEndAnEngineAreRefused) {
    EXPECT_FALSE(takes("root ::= " + repeated("(", 60'000) + "\"a\"" + repeated(")", 60'000)));
    EXPECT_FALSE(takes("root ::= " + repeated("(", 17) + "\"a\"" + repeated(")", 17)));
    EXPECT_TRUE(takes("root ::= " + repeated("(", 16) + "\"a\"" + repeated(")", 16)));
    EXPECT_TRUE(takes("root ::= " + repeated("(\"a\") ", 50)));
}

// 1,000 of them in a loop stopped an engine for minutes.
TEST(GrammarCheck, AlternativesThatStopAnEngineAreRefused) {
    EXPECT_FALSE(takes("root ::= (" + repeated("\"a\"|", 300) + "\"b\")*"));
    EXPECT_TRUE(takes("root ::= (" + repeated("\"a\"|", 200) + "\"b\")*"));
}

TEST(GrammarCheck, RepetitionsAndRulesAndBytesAreBounded) {
    EXPECT_FALSE(takes("root ::= " + repeated("[a-z]* ", 65)));
    EXPECT_FALSE(takes("root ::= [a-z]{0,1500} [a-z]{1500}"));
    EXPECT_FALSE(takes("root ::= [a-z]{0,99999999999999999999999}"));
    EXPECT_TRUE(takes("root ::= [a-z]{0,500} [a-z]{2,}"));
    EXPECT_FALSE(takes(repeated("x ::= \"a\"\n", 257)));
    EXPECT_FALSE(takes("root ::= \"" + std::string(16 << 10, 'a') + "\""));
}

TEST(GrammarCheck, WhatStandsInTextsSetsAndCommentsCostsNothing) {
    EXPECT_TRUE(
        takes("root ::= \"" + repeated("(|*", 400) + "\" [" + repeated("(|*", 400) + "] # " + repeated("(|*", 400)));
    EXPECT_TRUE(takes("root ::= \"\\\"" + repeated("(", 30) + "\""));
    // A text that never ends does not hide what is before it.
    EXPECT_FALSE(takes("root ::= " + repeated("(", 20) + "\"a"));
    EXPECT_TRUE(takes("root ::= {"));
}

bool holds(const std::string& pattern) { return check_pattern(pattern, PatternLimits{}).has_value(); }

// llama-server answered these with text that no pattern held, and status 200.
TEST(PatternCheck, PatternsThatTheEngineWouldIgnoreAreRefused) {
    for (const char* ignored :
         {R"(^\d{3}$)", "[0-9]+",   R"(^hi\!$)",   R"(^\w+$)", "^(?=x)y$", R"(^[\d]$)", R"(^\s$)",
          R"(^a\/b$)",  R"(^\bx$)", "^a^b$",       "^a]$",     "^a}$",     "^a{x}$",    "^a{1,2,3}$",
          "^a{$",       "^*a$",     "^(a$",        "^a)$",     "^[a$",     R"(^\$)",    "^",
          "",           "^a{,}$",   R"(^\u12g4$)", "^(?<n>a)$"})
        EXPECT_FALSE(holds(ignored)) << ignored;
}

TEST(PatternCheck, PatternsThatTheEngineHoldsToPass) {
    for (const char* held :
         {"^[0-9]{3}$", "^(a|b)+$", R"(^a\.b$)", "^(?:ab)$", "^[^a]$", R"(^\u0061$)", R"(^a\-b$)", "^ab|cd$", "^a+?$",
          "^a{2,}$", "^a{,3}$", R"(^[\]\-]+$)", "^.*$", R"(^\"x\"$)", "^$", "^[A-Z][a-z]*( [A-Z][a-z]*){0,4}$"})
        EXPECT_TRUE(holds(held)) << held;
}

TEST(PatternCheck, CostIsBounded) {
    // Stopped an engine for minutes.
    EXPECT_FALSE(holds("^" + repeated("[a-z]*", 30) + "$"));
    EXPECT_FALSE(holds("^(" + repeated("a|", 64) + "b)*$"));
    EXPECT_TRUE(holds("^" + repeated("[a-z]*", 12) + "$"));
    EXPECT_TRUE(holds("^[a-z]{0,500}$"));
    EXPECT_FALSE(holds("^[a-z]{0,500}[a-z]{0,500}$"));
    EXPECT_FALSE(holds("^[a-z]{1001}$"));
    EXPECT_FALSE(holds("^[a-z]{0,99999999999999999999999}$"));
    EXPECT_FALSE(holds("^((a{1,900}){1,900}){1,900}$"));
    // Inner repetitions stand there as often as outer ones say.
    EXPECT_FALSE(holds("^(((a{0,10}){0,10}){0,10}){0,10}$"));
    EXPECT_FALSE(holds("^([a-z]*){100}$"));
    EXPECT_FALSE(holds("^([a-z]{0,20}){100}$"));
    EXPECT_FALSE(holds("^(([a-z]?){9}){9}$"));
    EXPECT_FALSE(holds("^(" + repeated("(", 10) + "a" + repeated("{99})", 10) + "){99}$"));
    EXPECT_TRUE(holds("^([0-9]{1,3}[.]){3}[0-9]{1,3}$"));
    EXPECT_TRUE(holds("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"));
    EXPECT_TRUE(holds("^[a-z]+(-[a-z]+)*$"));
    EXPECT_FALSE(holds("^" + repeated("(", 20) + "a" + repeated(")", 20) + "$"));
}

}  // namespace
}  // namespace planetserve::inference
