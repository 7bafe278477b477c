#include "adapters/scorer/engine_library.h"

#include <gtest/gtest.h>

#include <fstream>

#include "adapters/llama/test_support.h"

namespace planetserve::adapters {
namespace {

namespace fs = std::filesystem;
using namespace testing_support;

class EngineFolder : public testing::Test {
protected:
    void put(const fs::path& file) {
        fs::create_directories((folder_.path / file).parent_path());
        std::ofstream(folder_.path / file) << "x";
    }
    TemporaryFolder folder_;
};

TEST_F(EngineFolder, HasItsLibraryInBinOrLib) {
    put("bin/libllama.v1.so");
    put("lib/libllama.so");
    EXPECT_EQ(find_engine_library(folder_.path, "libllama.v1.so"), folder_.path / "bin/libllama.v1.so");
    EXPECT_EQ(find_engine_library(folder_.path, "libllama.so"), folder_.path / "lib/libllama.so");
}

TEST_F(EngineFolder, OfAnotherVersionIsRefused) {
    put("bin/libllama.v1.so");
    auto found = find_engine_library(folder_.path, "libllama.v2.so");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::not_found);
    EXPECT_NE(found.error().message.find(folder_.path.string()), std::string::npos);
}

TEST(EngineLibrary, IsLoadedOnce) {
    auto library = engine_library();
    ASSERT_TRUE(library) << library.error().message;
    EXPECT_EQ(engine_library(), library);
    EXPECT_NE((*library)->llama_decode, nullptr);
}

}  // namespace
}  // namespace planetserve::adapters
