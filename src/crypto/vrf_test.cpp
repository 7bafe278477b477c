#include "crypto/vrf.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <span>

#include "base/random.h"

namespace planetserve::crypto {
namespace {

struct Vector {
    std::string_view secret, key, alpha, proof, output;
};

// RFC 9381, appendix B.3, examples 16 to 18.
const Vector vectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d97"
     "27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805",
     "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af02679"
     "8e8f81cd2e333de5cdf4f3e140fdd8ae"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465"
     "301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02",
     "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a848"
     "a0bef4553a41befc57663b56373a5031"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0"
     "e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e",
     "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb6373241"
     "578be7217ba85a2687f7a0310b2df19f"},
};

Identity identity(std::string_view seed) {
    Secret<32> secret;
    Bytes bytes = from_hex(seed).value();
    std::copy(bytes.begin(), bytes.end(), secret.bytes().begin());
    return Identity::from_seed(secret);
}

TEST(Vrf, VectorsOfRfc9381) {
    for (const Vector& vector : vectors) {
        Identity prover = identity(vector.secret);
        ASSERT_EQ(prover.id().hex(), vector.key);
        Bytes alpha = from_hex(vector.alpha).value();
        VrfProof proof = vrf_prove(prover, alpha);
        EXPECT_EQ(proof.hex(), vector.proof);
        auto output = vrf_verify(prover.id(), alpha, proof);
        ASSERT_TRUE(output);
        EXPECT_EQ(output->hex(), vector.output);
        EXPECT_EQ(vrf_proof_to_hash(proof), output);
    }
}

TEST(Vrf, AnotherKeyInputOrProofDoesNotVerify) {
    SeededRandom random(9);
    for (int round = 0; round < 20; ++round) {
        Identity prover = Identity::generate(random), other = Identity::generate(random);
        Bytes alpha(random.below(100));
        random.fill(alpha);
        VrfProof proof = vrf_prove(prover, alpha);
        EXPECT_TRUE(vrf_verify(prover.id(), alpha, proof));
        EXPECT_FALSE(vrf_verify(other.id(), alpha, proof));
        Bytes longer = alpha;
        longer.push_back(0);
        EXPECT_FALSE(vrf_verify(prover.id(), longer, proof));
        for (std::size_t i = 0; i < VrfProof::size; ++i) {
            VrfProof bent = proof;
            bent.value[i] ^= static_cast<std::uint8_t>(1 << random.below(8));
            EXPECT_FALSE(vrf_verify(prover.id(), alpha, bent)) << i;
        }
    }
}

// The points of order 1, 2, 4 and 8, and other encodings of some. As a key, such a point would have one output for all
// inputs; as Gamma, it would prove nothing.
TEST(Vrf, PointsOfSmallOrderAndOtherSpellingsAreRefused) {
    const std::string_view points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    Identity prover = identity(vectors[0].secret);
    VrfProof proof = vrf_prove(prover, {});
    for (std::string_view point : points) {
        NodeId key = NodeId::from_hex(point).value();
        EXPECT_FALSE(vrf_verify(key, {}, proof)) << point;
        VrfProof bent = proof;
        std::ranges::copy(key.value, bent.value.begin());
        EXPECT_FALSE(vrf_verify(prover.id(), {}, bent)) << point;
    }
    // Encodings that RFC 8032 forbids have no output either.
    for (std::string_view point : std::span(points).subspan(8)) {
        VrfProof bent = proof;
        std::ranges::copy(NodeId::from_hex(point)->value, bent.value.begin());
        EXPECT_FALSE(vrf_proof_to_hash(bent)) << point;
    }
}

// s plus the group's order encodes the same scalar.
TEST(Vrf, AScalarBeyondTheOrderIsRefused) {
    Bytes order = from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").value();
    Identity prover = identity(vectors[1].secret);
    VrfProof proof = vrf_prove(prover, Bytes{0x72});
    unsigned carry = 0;
    for (std::size_t i = 0; i < 32; ++i) {
        carry += proof.value[48 + i] + order[i];
        proof.value[48 + i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
    EXPECT_FALSE(vrf_verify(prover.id(), Bytes{0x72}, proof));
}

TEST(Vrf, OutputsLookRandom) {
    SeededRandom random(4);
    Identity prover = Identity::generate(random);
    std::size_t ones = 0;
    for (std::uint8_t i = 0; i < 100; ++i) {
        auto output = vrf_proof_to_hash(vrf_prove(prover, Bytes{i}));
        for (std::uint8_t byte : output->value) ones += static_cast<std::size_t>(std::popcount(byte));
    }
    // Seven standard deviations of 51,200 fair bits.
    EXPECT_NEAR(static_cast<double>(ones), 25'600, 800);
}

}  // namespace
}  // namespace planetserve::crypto
