#include "committee/descriptor.h"

#include <gtest/gtest.h>

#include <functional>

#include "committee/committee_fixture.h"

namespace planetserve::committee {
namespace {

TEST(Descriptor, RoundTripsWithEverythingInIt) {
    SeededRandom random(1);
    Member member = make_large_member(random);
    member.descriptor.addresses = {{"127.0.0.1", 1}, {"::1", 65535}, {"node.example", 80}, {"10.0.0.1", 7700}};
    member.descriptor.capacity = 1'000'000;
    member.descriptor.operator_name = std::string(64, 'o');
    member.descriptor.family.assign(64, random.id<NodeId>());
    member.descriptor.sequence = UINT64_MAX;
    Bytes bytes = encode(member.descriptor);
    EXPECT_LE(bytes.size(), maximum_descriptor_size);
    auto parsed = parse_descriptor(bytes);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, member.descriptor);
}

TEST(Descriptor, ErrorsNameTheField) {
    SeededRandom random(2);
    Member member = make_member(random, wire::Role::model);
    auto error = [&](const std::function<void(NodeDescriptor&)>& change) {
        NodeDescriptor descriptor = member.descriptor;
        change(descriptor);
        auto parsed = parse_descriptor(encode(descriptor));
        return parsed ? std::string("accepted") : parsed.error().message;
    };
    auto named = [&](const std::string& field, const std::function<void(NodeDescriptor&)>& change) {
        EXPECT_NE(error(change).find("descriptor: " + field + " "), std::string::npos) << error(change);
    };
    EXPECT_EQ(error([](NodeDescriptor&) {}), "accepted");
    named("id", [](NodeDescriptor& d) { d.id = {}; });
    named("role", [](NodeDescriptor& d) { d.role = wire::Role::verifier; });
    named("role", [](NodeDescriptor& d) { d.role = static_cast<wire::Role>(9); });
    named("onion_key", [](NodeDescriptor& d) { d.onion_key = {}; });
    named("onion_key", [](NodeDescriptor& d) { d.onion_key.value = {1}; });
    named("addresses", [](NodeDescriptor& d) { d.addresses.clear(); });
    named("addresses", [](NodeDescriptor& d) { d.addresses.assign(5, {"127.0.0.1", 1}); });
    named("addresses", [](NodeDescriptor& d) { d.addresses = {{"127.0.0.1", 0}}; });
    named("models", [](NodeDescriptor& d) { d.models.clear(); });
    named("models", [](NodeDescriptor& d) { d.models.assign(33, d.models[0]); });
    named("models", [](NodeDescriptor& d) { d.models.assign(2, d.models[0]); });
    named("models", [](NodeDescriptor& d) { d.models[0].name = ""; });
    named("models", [](NodeDescriptor& d) { d.models[0].name = std::string(129, 'a'); });
    named("models", [](NodeDescriptor& d) { d.models[0].name = "a b"; });
    named("models", [](NodeDescriptor& d) { d.models[0].engine = std::string(65, 'a'); });
    named("models", [](NodeDescriptor& d) { d.models[0].weights_sha256 = Bytes(31); });
    named("models", [](NodeDescriptor& d) { d.role = wire::Role::user; });
    named("capacity", [](NodeDescriptor& d) { d.capacity = 1'000'001; });
    named("operator_name", [](NodeDescriptor& d) { d.operator_name = "a\nb"; });
    named("family", [](NodeDescriptor& d) { d.family.assign(65, d.id); });
    named("software", [](NodeDescriptor& d) { d.software = std::string(65, 'a'); });
    EXPECT_FALSE(parse_descriptor(Bytes(maximum_descriptor_size + 1)));
    EXPECT_FALSE(parse_descriptor(Bytes{0x0a, 0x20}));
}

TEST(Descriptor, ItsSignatureIsOfOneNodeForOneNetwork) {
    SeededRandom random(3);
    Member member = make_member(random), other = make_member(random);
    auto network = random.id<wire::NetworkId>();
    auto made = sign_descriptor(member.descriptor, network, member.identity);
    EXPECT_TRUE(verify_descriptor(made, member.identity.id(), network));
    EXPECT_FALSE(verify_descriptor(made, other.identity.id(), network));
    EXPECT_FALSE(verify_descriptor(made, member.identity.id(), random.id<wire::NetworkId>()));
    made.bytes.back() ^= 1;
    EXPECT_FALSE(verify_descriptor(made, member.identity.id(), network));
}

TEST(Descriptor, FieldsOfALaterVersionAreKeptUnderTheSignature) {
    SeededRandom random(4);
    Member member = make_member(random);
    Bytes bytes = encode(member.descriptor);
    append(bytes, Bytes{0x98, 0x06, 0x01});  // field 99, a number
    auto parsed = parse_descriptor(bytes);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, member.descriptor);
    Entry entry{*parsed, {bytes, {}}, {}, UnixTime{5}, 6, UnixTime{4}};
    auto again = parse_entry(encode_entry(member.identity.id(), entry));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->second.signed_descriptor.bytes, bytes);
}

}  // namespace
}  // namespace planetserve::committee
