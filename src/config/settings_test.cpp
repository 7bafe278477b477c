#include "config/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace planetserve::config {
namespace {

namespace fs = std::filesystem;

class SettingsTest : public testing::Test {
protected:
    SettingsTest() : file_(fs::temp_directory_path() / ("planetserve-settings-" + std::to_string(getpid()))) {}
    ~SettingsTest() override { fs::remove(file_); }

    Result<Settings> read(const std::string& text) const {
        std::ofstream(file_) << text;
        return read_settings(file_);
    }

    fs::path file_;
};

TEST_F(SettingsTest, NamesEachKeyInFull) {
    auto settings = read("home: /a\napi: {key: k, listen: \"127.0.0.1:1\"}\nmodels:\n  - {name: m}\n");
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->at("home"), "/a");
    EXPECT_EQ(settings->at("api.key"), "k");
    EXPECT_EQ(settings->size(), 4U);
}

TEST_F(SettingsTest, TellsWhatChanged) {
    auto before = read("home: /a\napi: {key: k, max_body: 1}\nmodels: [{name: m}]\n");
    auto after = read("api: {key: other, max_body: 1}\nmodels: [{name: n}]\nlog_level: debug\n");
    ASSERT_TRUE(before && after);
    EXPECT_EQ(changed_keys(*before, *after), (std::vector<std::string>{"api.key", "home", "log_level", "models"}));
    EXPECT_TRUE(changed_keys(*after, *after).empty());
}

TEST_F(SettingsTest, SaysWhereAFileIsWrong) {
    auto settings = read("home: [\n");
    ASSERT_FALSE(settings);
    EXPECT_NE(settings.error().message.find(file_.string()), std::string::npos) << settings.error().message;
}

}  // namespace
}  // namespace planetserve::config
