// What the dishonest node is told to do, and what came of it: files in its home, by which a test drives it.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "base/result.h"

namespace planetserve::hostile {

// The words in a file; none where it cannot be read.
std::set<std::string> words_in(const std::filesystem::path& file);

class Diary {
public:
    // words: what it does in an epoch (false_words.h). said: a JSON object a line.
    Diary(std::filesystem::path words, std::filesystem::path said) : words_(std::move(words)), said_(std::move(said)) {}

    // What it is told for an epoch; the same for all of the epoch, whatever is written into the file meanwhile.
    const std::set<std::string>& told(std::uint64_t epoch);
    // What it said, and whether its own consensus engine took it.
    void note(std::uint64_t epoch, const std::string& kind, const Status& taken) const;

private:
    std::filesystem::path words_, said_;
    std::map<std::uint64_t, std::set<std::string>> told_;
};

}  // namespace planetserve::hostile
