#include "signing/request_sampling.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace planetserve::signing {
namespace {

namespace json = boost::json;
using scoring::SamplingProfile;

RequestSampling read(const std::string& request) { return sampling_of(json::parse(request), {}); }

const std::string seed = "\"seed\":" + std::to_string(scoring::seed_of(scoring::Nonce{}));

TEST(RequestSampling, WhatIsLeftOutIsTheUsual) {
    auto plain = read(R"({"messages":[]})");
    EXPECT_EQ(plain.profile, scoring::usual_sampling);
    EXPECT_EQ(plain.added, seed + R"(,"temperature":0.8,"top_k":40,"top_p":0.95,"min_p":0.05,"mirostat":0,)"
                                  R"("samplers":["top_k","top_p","min_p","temperature"])");
}

TEST(RequestSampling, WhatIsSaidStays) {
    auto said = read(R"({"seed":7,"temperature":0.2,"top_k":9,"top_p":0.9,"min_p":0,"max_tokens":30})");
    EXPECT_EQ(
        said.profile,
        (SamplingProfile{.temperature = 0.2F, .top_k = 9, .top_p = 0.9F, .min_p = 0, .seed = 7, .max_tokens = 30}));
    EXPECT_EQ(said.added, R"("mirostat":0,"samplers":["top_k","top_p","min_p","temperature"])");
    EXPECT_EQ(read(R"({"temperature":0})").profile->temperature, 0);
    EXPECT_EQ(read(R"({"max_completion_tokens":5})").profile->max_tokens, 5U);
}

// Clients write null for a member that is not set.
TEST(RequestSampling, NullsAndNothingsAreLeftOut) {
    auto nulls = read(R"({"seed":null,"temperature":null,"top_p":null,"max_tokens":null,"tools":[],"logit_bias":{},)"
                      R"("frequency_penalty":0,"presence_penalty":0.0,"n":1,"response_format":{"type":"text"},)"
                      R"("ignore_eos":false,"grammar":null})");
    EXPECT_EQ(nulls.profile, scoring::usual_sampling);
    EXPECT_NE(nulls.added.find("\"temperature\":0.8"), std::string::npos);
}

TEST(RequestSampling, WhatCannotBeReplayedIsLeftAlone) {
    for (const char* request :
         {R"({"samplers":["top_k"]})", R"({"mirostat":2})", R"({"frequency_penalty":0.5})",
          R"({"logit_bias":{"5":-1}})", R"({"tools":[{}]})", R"({"response_format":{"type":"json_object"}})",
          R"({"grammar":"root ::= \"a\""})", R"({"n":2})", R"({"top_k":0})", R"({"top_k":5000})", R"({"top_p":2})",
          R"({"temperature":-1})", R"({"temperature":"hot"})", R"({"repeat_penalty":1.1})", R"({"typical_p":0.5})",
          R"({"ignore_eos":true})"}) {
        auto sampling = read(request);
        EXPECT_FALSE(sampling.profile) << request;
        EXPECT_EQ(sampling.added, seed) << request;
    }
    for (const char* request : {R"({"seed":4294967295})", R"({"seed":-1})", R"({"top_k":0,"seed":3})"}) {
        EXPECT_FALSE(read(request).profile) << request;
        EXPECT_EQ(read(request).added, "") << request;
    }
}

}  // namespace
}  // namespace planetserve::signing
