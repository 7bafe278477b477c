#include "adapters/llama/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/random.h"

namespace planetserve::adapters {
namespace {

class Gguf : public testing::Test {
protected:
    Gguf() : file_(std::filesystem::path(testing::TempDir()) / (std::string("gguf-") + name() + ".gguf")) {
        put<std::uint32_t>(0x46554747);
        put<std::uint32_t>(3);
        put<std::uint64_t>(0);
    }
    ~Gguf() override { std::filesystem::remove(file_); }

    static std::string name() { return testing::UnitTest::GetInstance()->current_test_info()->name(); }

    template <typename T>
    void put(T value) {
        bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    void text(const std::string& value) {
        put<std::uint64_t>(value.size());
        bytes_ += value;
    }
    void number(const std::string& key, std::uint32_t value) {
        text(key);
        put<std::uint32_t>(4);
        put(value);
    }
    void architecture() {
        text("general.architecture");
        put<std::uint32_t>(8);
        text("llama");
    }
    // SmolLM2-135M's numbers.
    void small_model() {
        architecture();
        number("llama.block_count", 30);
        number("llama.embedding_length", 576);
        number("llama.attention.head_count", 9);
        number("llama.attention.head_count_kv", 3);
    }
    Result<std::uint64_t> read() {
        std::ofstream(file_, std::ios::binary) << bytes_;
        return kv_bytes_per_token(file_);
    }

    std::filesystem::path file_;
    std::string bytes_;
};

TEST_F(Gguf, TellsTheCacheOfAModel) {
    put<std::uint64_t>(5);
    small_model();
    EXPECT_EQ(read(), 30u * 3 * (64 + 64) * 2);
}

TEST_F(Gguf, TakesLengthsAndHeadsOfEachLayer) {
    put<std::uint64_t>(9);
    small_model();
    bytes_.resize(bytes_.size() - 4 - 4 - 8 - std::strlen("llama.attention.head_count_kv"));
    text("llama.attention.head_count_kv");
    put<std::uint32_t>(9);
    put<std::uint32_t>(5);
    put<std::uint64_t>(30);
    for (std::int32_t layer = 0; layer < 30; ++layer) put<std::int32_t>(layer % 3 == 0 ? 2 : 0);
    number("llama.attention.key_length", 128);
    number("llama.attention.value_length", 32);
    // Values that are skipped.
    text("general.tags");
    put<std::uint32_t>(9);
    put<std::uint32_t>(8);
    put<std::uint64_t>(2);
    text("a");
    text("long");
    text("tokenizer.ggml.tokens");
    EXPECT_EQ(read(), 10u * 2 * (128 + 32) * 2);
}

TEST_F(Gguf, RefusesWhatItCannotUse) {
    EXPECT_EQ(kv_bytes_per_token(file_ / "none").error().code, ErrorCode::io);
    put<std::uint64_t>(1);
    architecture();
    EXPECT_NE(read().error().message.find("llama.block_count is missing"), std::string::npos);
    bytes_[0] = 'X';
    EXPECT_EQ(read().error().code, ErrorCode::malformed);
}

TEST_F(Gguf, NeverFailsOtherwiseWhateverTheBytes) {
    put<std::uint64_t>(5);
    small_model();
    const std::string whole = bytes_;
    SeededRandom random(3);
    for (int run = 0; run < 500; ++run) {
        bytes_ = whole.substr(0, random.below(whole.size() + 1));
        for (int i = 0; i < 3 && !bytes_.empty(); ++i)
            bytes_[random.below(bytes_.size())] = static_cast<char>(random.below(256));
        auto size = read();
        EXPECT_TRUE(!size || *size > 0);
    }
}

TEST_F(Gguf, TellsTheTokenThatEndsAText) {
    auto vocabulary = [this] {
        small_model();
        text("tokenizer.ggml.tokens");
        put<std::uint32_t>(9);  // a list
        put<std::uint32_t>(8);  // of texts
        put<std::uint64_t>(3);
        for (const char* word : {"a", "longer", ""}) text(word);
    };
    auto end = [this] {
        std::ofstream(file_, std::ios::binary) << bytes_;
        return end_token(file_);
    };
    const std::string head = bytes_;
    put<std::uint64_t>(8);
    vocabulary();
    number("tokenizer.ggml.eos_token_id", 2);
    number("tokenizer.ggml.eot_token_id", 107);
    EXPECT_EQ(end().value(), 107U);
    bytes_ = head;
    put<std::uint64_t>(7);
    vocabulary();
    number("tokenizer.ggml.eos_token_id", 2);
    EXPECT_EQ(end().value(), 2U);
    bytes_ = head;
    put<std::uint64_t>(6);
    vocabulary();
    EXPECT_EQ(end().error().code, ErrorCode::malformed);
    EXPECT_TRUE(read());
}

}  // namespace
}  // namespace planetserve::adapters
