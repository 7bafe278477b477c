#include <gtest/gtest.h>

#include "crypto/agreement.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"
#include "crypto/identity.h"
#include "crypto/system_random.h"

namespace planetserve::crypto {
namespace {

Bytes hex(std::string_view text) { return from_hex(text).value(); }

template <std::size_t N>
Secret<N> secret(std::string_view text) {
    Secret<N> value;
    Bytes bytes = hex(text);
    std::copy(bytes.begin(), bytes.end(), value.bytes().begin());
    return value;
}

TEST(Hkdf, Rfc5869Case1) {
    Bytes out(42);
    Bytes info = hex("f0f1f2f3f4f5f6f7f8f9");
    hkdf_sha256(hex("000102030405060708090a0b0c"), Bytes(22, 0x0b), as_text(info), out);
    EXPECT_EQ(to_hex(out), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

TEST(Sha256, PartsAreTheirConcatenation) {
    EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256({as_bytes("a"), as_bytes("bc")}), sha256(as_bytes("abc")));
}

TEST(Sha256, PiecesAreTheirConcatenation) {
    Sha256 hash;
    for (int round = 0; round < 2; ++round) {
        for (std::string_view piece : {"a", "", "bc"}) hash.update(as_bytes(piece));
        EXPECT_EQ(hash.finish(), sha256(as_bytes("abc")));
    }
}

TEST(X25519, Rfc7748Section61) {
    auto alice =
        AgreementKey::from_secret(secret<32>("77076d0a7318a57d3c16c17251b26645df4c2f92ebc099b2af0aeb4f4b8c4e2a"));
    auto bob =
        AgreementKey::from_secret(secret<32>("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    EXPECT_EQ(bob.public_key().hex(), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    EXPECT_EQ(alice.agree(bob.public_key()), bob.agree(alice.public_key()));
    EXPECT_FALSE(alice.agree(AgreementPublicKey{}));
    EXPECT_FALSE(has_small_order(bob.public_key()));
    // has_small_order() knows exactly the keys with which agree() fails.
    for (const char* hex : {"0000000000000000000000000000000000000000000000000000000000000000",
                            "0100000000000000000000000000000000000000000000000000000000000000",
                            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
        auto key = *AgreementPublicKey::from(*from_hex(hex));
        for (std::uint8_t highest : {0x00, 0x80}) {
            key.value.back() = static_cast<std::uint8_t>((key.value.back() & 0x7f) | highest);
            EXPECT_TRUE(has_small_order(key)) << hex;
            EXPECT_FALSE(alice.agree(key)) << hex;
        }
    }
    EXPECT_FALSE(has_small_order(AgreementPublicKey{{2}}));
    EXPECT_TRUE(alice.agree(AgreementPublicKey{{2}}));
}

TEST(AesGcm, SealsAndRefusesEveryChange) {
    SystemRandom random;
    SymmetricKey key;
    random.fill(key.bytes());
    Bytes plain = to_bytes("a message of no great length");
    Bytes data = plain;
    Tag tag = seal_in_place(key, counter_nonce(7), as_bytes("header"), data);
    EXPECT_NE(data, plain);
    Bytes opened = data;
    ASSERT_TRUE(open_in_place(key, counter_nonce(7), as_bytes("header"), opened, tag));
    EXPECT_EQ(opened, plain);
    for (std::size_t i = 0; i < data.size(); ++i) {
        Bytes changed = data;
        changed[i] ^= 1;
        EXPECT_FALSE(open_in_place(key, counter_nonce(7), as_bytes("header"), changed, tag));
    }
    Bytes again = data;
    EXPECT_FALSE(open_in_place(key, counter_nonce(8), as_bytes("header"), again, tag));
    again = data;
    EXPECT_FALSE(open_in_place(key, counter_nonce(7), as_bytes("headeR"), again, tag));
}

TEST(AesGcm, PiecesGiveWhatTheWholeGives) {
    SystemRandom random;
    SymmetricKey key;
    random.fill(key.bytes());
    Bytes plain(1000);
    random.fill(plain);
    Bytes whole = plain;
    Tag expected = seal_in_place(key, counter_nonce(3), as_bytes("header"), whole);
    for (std::size_t step : {1u, 15u, 16u, 17u, 333u, 1000u}) {
        Bytes sealed(plain.size());
        Bytes opened(plain.size());
        auto in_steps = [&](PiecewiseCipher& cipher, ByteView in, MutableByteView out) {
            for (std::size_t at = 0; at < in.size(); at += step) {
                std::size_t size = std::min(step, in.size() - at);
                cipher.update(in.subspan(at, size), out.subspan(at, size));
            }
        };
        {
            Sealer sealer(key, counter_nonce(3), as_bytes("header"));
            EXPECT_THROW(Sealer(key, counter_nonce(3), {}), std::logic_error);
            in_steps(sealer, plain, sealed);
            EXPECT_EQ(sealer.finish(), expected);
        }
        EXPECT_EQ(sealed, whole);
        for (bool forged : {false, true}) {
            Tag tag = expected;
            tag[15] ^= forged ? 1 : 0;
            Opener opener(key, counter_nonce(3), as_bytes("header"));
            in_steps(opener, sealed, opened);
            EXPECT_EQ(opener.finish(tag), !forged);
        }
        EXPECT_EQ(opened, plain);
    }
}

// RFC 4231, test cases 2 and 6 (a key longer than a block).
TEST(HmacSha256, Rfc4231) {
    EXPECT_EQ(to_hex(hmac_sha256(as_bytes("Jefe"), {as_bytes("what do ya want "), as_bytes("for nothing?")})),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(to_hex(hmac_sha256(Bytes(131, 0xaa), as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// NIST's GCM test case 14 (AES-256, zero key, IV and plaintext block).
TEST(AesGcm, NistTestCase14) {
    Bytes data(16);
    Tag tag = seal_in_place(SymmetricKey{}, Nonce{}, {}, data);
    EXPECT_EQ(to_hex(data), "cea7403d4d606b6e074ec5d3baf39d18");
    EXPECT_EQ(to_hex(tag), "d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(StreamXor, IsItsOwnInverseAndDependsOnTheCounter) {
    SymmetricKey key;
    Bytes a(100), b(100);
    stream_xor(key, 1, a);
    stream_xor(key, 2, b);
    EXPECT_NE(a, b);
    stream_xor(key, 1, a);
    EXPECT_EQ(a, Bytes(100));
}

// RFC 8032, 7.1, test 2.
TEST(Ed25519, Rfc8032Test2) {
    auto identity = Identity::from_seed(secret<32>("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
    EXPECT_EQ(identity.id().hex(), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    Bytes message{0x72};
    Signature signature = identity.sign_raw(message);
    EXPECT_EQ(signature.hex(),
              "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eae"
              "b4302aee"
              "b00d291612bb0c00");
    EXPECT_TRUE(verify_raw(identity.id(), message, signature));
}

TEST(Ed25519, ContextsAreSeparate) {
    SystemRandom random;
    auto identity = Identity::generate(random);
    auto signature = identity.sign("descriptor", as_bytes("x"));
    EXPECT_TRUE(verify(identity.id(), "descriptor", as_bytes("x"), signature));
    EXPECT_FALSE(verify(identity.id(), "list", as_bytes("x"), signature));
    EXPECT_EQ(Identity::from_seed(identity.seed()).id(), identity.id());
}

}  // namespace
}  // namespace planetserve::crypto
