#include "inference/schema_check.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace planetserve::inference {
namespace {

std::string many(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

// "text 0 text 1 text ..." with each number where the mark stands.
std::string numbered(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) {
        std::string one = text;
        for (std::size_t at = 0; (at = one.find('@', at)) != one.npos;) one.replace(at, 1, std::to_string(i));
        for (std::size_t at = 0; (at = one.find('~', at)) != one.npos;) one.replace(at, 1, std::to_string(i + 1));
        all += (i ? "," : "") + one;
    }
    return all;
}

Status add(const std::string& schema, SchemaReader reader = SchemaReader::llama_server) {
    static const SchemaLimits limits;
    return SchemaCheck(limits, reader).add(boost::json::parse(schema));
}

TEST(SchemaCheck, PatternsAreCheckedWhereverTheyStand) {
    EXPECT_FALSE(add(R"({"type":"object","properties":{"a":{"anyOf":[{"type":"string","pattern":"\\d"}]}}})"));
    EXPECT_TRUE(add(R"({"type":"object","properties":{"a":{"type":"string","pattern":"^[0-9]$"}}})"));
    // A property of that name, and data.
    EXPECT_TRUE(add(R"({"type":"object","properties":{"pattern":{"type":"string"}}})"));
    EXPECT_TRUE(add(R"({"enum":[{"pattern":"\\d"}]})"));
    // Another engine understands others.
    EXPECT_TRUE(add(R"({"type":"string","pattern":"\\d"})", SchemaReader::other));
}

TEST(SchemaCheck, SizeIsBoundedOverAllSchemasOfARequest) {
    EXPECT_TRUE(add(many(R"({"items":)", 30) + "true" + many("}", 30)));
    EXPECT_FALSE(add(many(R"({"items":)", 32) + "true" + many("}", 32)));
    EXPECT_FALSE(add(R"({"anyOf":[)" + many("true,", 64) + "true]}"));
    EXPECT_FALSE(add(R"({"type":"string","maxLength":1000000})"));
    EXPECT_FALSE(add(R"({"type":"string","maxLength":1e300})"));
    EXPECT_FALSE(add(R"({"enum":[)" + many("1,", 1100) + "1]}"));

    const SchemaLimits limits;
    SchemaCheck all(limits, SchemaReader::other);
    auto half = boost::json::parse(R"({"enum":[)" + many("1,", 599) + "1]}");
    EXPECT_TRUE(all.add(half));
    EXPECT_FALSE(all.add(half));
}

// A kilobyte made 2^30 rules of each of these, and the engine's process ended.
TEST(SchemaCheck, ListsOfTypesMultiplyAndAreCounted) {
    EXPECT_FALSE(add(many(R"({"type":["array","array"],"items":)", 30) + "true" + many("}", 30)));
    EXPECT_FALSE(add(many(R"({"type":["array","object"],"items":)", 25) + "true" + many("}", 25)));
    EXPECT_FALSE(add(R"({"type":[)" + many(R"("null",)", 1000) + R"("null"]})"));
    EXPECT_TRUE(add(R"({"type":["string","number","integer","boolean","object","array","null"]})"));
    EXPECT_TRUE(add(many(R"({"type":["array","null"],"items":)", 25) + "true" + many("}", 25)));
}

TEST(SchemaCheck, DefinitionsThatUseDefinitionsAreCountedAsOftenAsTheyAreUsed) {
    const std::string twice =
        R"("d@":{"type":"object","properties":{"a":{"$ref":"#/$defs/d~"},"b":{"$ref":"#/$defs/d~"}}})";
    EXPECT_FALSE(add(R"({"$ref":"#/$defs/d0","$defs":{)" + numbered(twice, 30) + R"(,"d30":{"type":"null"}}})"));
    EXPECT_TRUE(add(R"({"$ref":"#/$defs/d0","$defs":{)" + numbered(twice, 8) + R"(,"d8":{"type":"null"}}})"));
    // Each use in "allOf" writes the properties out again.
    EXPECT_FALSE(add(R"({"allOf":[)" + many(R"({"$ref":"#/$defs/a"},)", 600) +
                     R"(true],"$defs":{"a":{"type":"object","properties":{"x":true}}}})"));
    // Of alternatives that begin alike an engine follows each.
    const std::string eight =
        R"("d@":{"anyOf":[)" + many(R"({"type":"array","items":{"$ref":"#/$defs/d~"}},)", 3) + R"({"type":"null"}]})";
    EXPECT_FALSE(add(R"({"$ref":"#/$defs/d0","$defs":{)" + numbered(eight, 8) + R"(,"d8":{"type":"null"}}})"));
}

TEST(SchemaCheck, AReferenceToItselfEnds) {
    EXPECT_FALSE(add(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/a"}}})"));
    EXPECT_FALSE(
        add(R"({"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}}})"));
    EXPECT_FALSE(add(R"({"allOf":[{"$ref":"#/allOf/0"}]})"));
    EXPECT_FALSE(add(R"({"anyOf":[{"$ref":"#"}]})", SchemaReader::other));
}

TEST(SchemaCheck, RecursiveSchemasOfHonestUsersPass) {
    const std::string list = R"({"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{
        "value":{"type":"number"},"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["value","next"]}}})";
    EXPECT_TRUE(add(list));
    const std::string page = R"({"type":"object","properties":{"label":{"type":"string"},
        "children":{"type":"array","items":{"$ref":"#"}}}})";
    EXPECT_TRUE(add(page));
    const std::string sums =
        R"({"$ref":"#/$defs/e","$defs":{"e":{"anyOf":[{"type":"number"},{"$ref":"#/$defs/add"},{"$ref":"#/$defs/mul"}]},
        "add":{"type":"object","properties":{"op":{"const":"add"},"l":{"$ref":"#/$defs/e"},"r":{"$ref":"#/$defs/e"}},"required":["op","l","r"]},
        "mul":{"type":"object","properties":{"op":{"const":"mul"},"l":{"$ref":"#/$defs/e"},"r":{"$ref":"#/$defs/e"}},"required":["op","l","r"]}}})";
    EXPECT_TRUE(add(sums));
    // Forty optional members, as Pydantic writes them.
    EXPECT_TRUE(add(R"({"type":"object","properties":{)" +
                    numbered(R"("p@":{"anyOf":[{"type":"string"},{"type":"null"}]})", 40) + "}}"));
}

// Each level of the answer doubled the places where it may stand.
TEST(SchemaCheck, AlternativesThatBeginAlikeDoNotLeadBackToThemselves) {
    const std::string doubling = R"({"$ref":"#/$defs/e","$defs":{"e":{"anyOf":[
        {"type":"object","properties":{"a":{"$ref":"#/$defs/e"}},"required":["a"]},
        {"type":"object","properties":{"a":{"$ref":"#/$defs/e"}},"required":["a"]}]}}})";
    EXPECT_FALSE(add(doubling));
}

TEST(SchemaCheck, OtherDocumentsAreNotReferredTo) {
    for (const char* reference : {"http://10.0.0.1/schema", "#/nothing", "#anchor", "#/anyOf/00", "x"})
        EXPECT_FALSE(add(std::string(R"({"anyOf":[true],"$ref":")") + reference + "\"}", SchemaReader::other))
            << reference;
}

// The names of keywords, and data that a reference makes a schema.
TEST(SchemaCheck, WhatIsNamedLikeDataIsASchemaAllTheSame) {
    for (const char* name : {"default", "enum", "example", "examples", "const", "required", "$ref", "anyOf"})
        for (const char* map : {"properties", "$defs", "definitions", "patternProperties", "dependentSchemas"})
            EXPECT_FALSE(add(std::string(R"({"type":"object",")") + map + R"(":{")" + name +
                             R"(":{"type":"string","pattern":"\\d"}}})"))
                << name << map;
    EXPECT_FALSE(add(R"({"$ref":"#/default","default":{"type":"string","pattern":"\\d"}})"));
    EXPECT_TRUE(add(R"({"type":"object","default":{"pattern":"\\d"},"properties":{"default":{"type":"string"}}})"));
    EXPECT_FALSE(add(R"({"const":")" + std::string(70'000, 'a') + "\"}"));
}

}  // namespace
}  // namespace planetserve::inference
