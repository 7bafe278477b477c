#include "base/endpoint.h"

#include <gtest/gtest.h>

namespace planetserve {
namespace {

TEST(Endpoint, ParsesWhatItPrints) {
    for (std::string text : {"127.0.0.1:7700", "node.example.org:1", "[::1]:65535"}) {
        auto endpoint = Endpoint::parse(text);
        ASSERT_TRUE(endpoint) << endpoint.error().message;
        EXPECT_EQ(endpoint->to_string(), text);
    }
}

TEST(Endpoint, SaysWhatIsWrong) {
    for (std::string text : {"", "host", ":1", "host:", "host:0", "host:65536", "host:1x", "::1:80", "a b:1", "[]:1"}) {
        auto endpoint = Endpoint::parse(text);
        ASSERT_FALSE(endpoint) << text;
        EXPECT_EQ(endpoint.error().code, ErrorCode::malformed);
    }
    EXPECT_FALSE(Endpoint::parse(std::string(300, 'a') + ":1"));
}

TEST(Endpoint, KnowsAnAddressFromAName) {
    for (const char* address : {"127.0.0.1:1", "[::1]:1", "[2001:db8::7]:7701"})
        EXPECT_TRUE(Endpoint::parse(address)->has_ip_address()) << address;
    for (const char* name : {"localhost:1", "relay.example.org:1", "1.2.3:1", "127.1:1", "[fe80::1%eth0]:1"})
        EXPECT_FALSE(Endpoint::parse(name)->has_ip_address()) << name;
}

}  // namespace
}  // namespace planetserve
