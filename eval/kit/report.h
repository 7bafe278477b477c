// What an experiment leaves behind in its folder: CSV files, figures, and summary.json, a flat object of its headline
// figures. Every file is written whole or not at all; summary.json comes last, so that a folder with one is complete.
//
//     Table rows({"arm", "mean_ttft_s"});
//     rows.add({"round-robin", 1.39});
//     if (Status written = report.csv("arms", rows); !written) return written;      // arms.csv
//     report.print("Live, four engines", rows);
//     report.figure({.name = "ttft", .title = ..., .series = ...});                // ttft.gp, ttft.svg
//     report.summary("mean_ttft_s_round_robin", 1.39);
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "eval/kit/figure.h"
#include "eval/kit/files.h"
#include "eval/kit/progress.h"
#include "eval/kit/table.h"

namespace planetserve::eval {

class Report {
public:
    // Makes the folder, and removes the summary.json of an earlier run.
    static Result<Report> open(std::filesystem::path folder);

    const std::filesystem::path& folder() const { return folder_; }

    Status csv(std::string_view name, const Table& table);         // FOLDER/NAME.csv
    void print(std::string_view title, const Table& table) const;  // on standard output
    void note(std::string_view text) const;                        // a line on standard output
    // A figure that cannot be drawn is said to be so in one line (once, if there is no gnuplot) and costs nothing else.
    void figure(const Figure& figure);

    // In the order of first mention; the last value of a key counts. What is not a finite number becomes null.
    using Value = std::variant<bool, std::int64_t, double, std::string>;
    void summary(std::string key, double value) { set(std::move(key), value); }
    void summary(std::string key, std::string value) { set(std::move(key), std::move(value)); }
    void summary(std::string key, const char* value) { set(std::move(key), std::string(value)); }
    void summary(std::string key, bool value) { set(std::move(key), value); }
    template <std::integral T>
    void summary(std::string key, T value) {
        set(std::move(key), static_cast<std::int64_t>(value));
    }
    std::string summary_json() const;

    // Writes summary.json and says where everything is.
    Status finish();

private:
    explicit Report(std::filesystem::path folder) : folder_(std::move(folder)) {}
    void set(std::string key, Value value);

    std::filesystem::path folder_;
    std::vector<std::pair<std::string, Value>> summary_;
    bool without_gnuplot_ = false;
};

}  // namespace planetserve::eval
