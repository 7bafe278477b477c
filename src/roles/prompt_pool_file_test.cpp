#include "roles/prompt_pool_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"

namespace planetserve::roles {
namespace {

namespace fs = std::filesystem;

class PromptPoolFile : public testing::Test {
protected:
    PromptPoolFile() : file_(fs::temp_directory_path() / ("planetserve-pool-" + std::to_string(getpid()))) {
        for (std::size_t i = 0; i < verification_agent::PromptPool::fewest; ++i)
            text_ += R"([{"role":"user","content":"Question )" + std::to_string(i) + "\"}]\n";
        EXPECT_TRUE(write_file(file_, text_));
    }
    ~PromptPoolFile() override { fs::remove(file_); }

    static std::string refused(const std::optional<fs::path>& file, const std::optional<crypto::Digest>& genesis) {
        auto pool = load_prompt_pool(file, genesis);
        EXPECT_FALSE(pool);
        return pool ? "" : pool.error().message;
    }

    fs::path file_;
    std::string text_;
};

TEST_F(PromptPoolFile, IsTheOneThatTheGenesisStates) {
    const auto digest = crypto::sha256(as_bytes(text_));
    auto pool = load_prompt_pool(file_, digest);
    ASSERT_TRUE(pool) << pool.error().message;
    EXPECT_EQ(pool->size(), verification_agent::PromptPool::fewest);
    EXPECT_NE(refused(file_, crypto::sha256(as_bytes("another"))).find(to_hex(digest)), std::string::npos);
}

TEST_F(PromptPoolFile, IsNeededJustWhereTheGenesisStatesOne) {
    auto none = load_prompt_pool(std::nullopt, std::nullopt);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->empty());
    EXPECT_NE(refused(std::nullopt, crypto::Digest{}).find("'prompt_pool'"), std::string::npos);
    EXPECT_NE(refused(file_, std::nullopt).find("the genesis has none"), std::string::npos);
}

TEST_F(PromptPoolFile, NamesAFileThatCannotBeRead) {
    EXPECT_TRUE(write_file(file_, "[]\n"));
    auto pool = read_prompt_pool(file_);
    ASSERT_FALSE(pool);
    EXPECT_NE(pool.error().message.find(file_.string()), std::string::npos);
}

}  // namespace
}  // namespace planetserve::roles
