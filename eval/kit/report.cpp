#include "eval/kit/report.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <cstdio>
#include <iostream>

namespace planetserve::eval {

Result<Report> Report::open(std::filesystem::path folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) return fail(ErrorCode::io, "cannot make the folder " + folder.string() + ": " + error.message());
    std::filesystem::remove(folder / "summary.json", error);
    if (error)
        return fail(ErrorCode::io, "cannot remove " + (folder / "summary.json").string() + ": " + error.message());
    return Report(std::move(folder));
}

Status Report::csv(std::string_view name, const Table& table) {
    return write_file(folder_ / (std::string(name) + ".csv"), table.csv());
}

void Report::print(std::string_view title, const Table& table) const {
    std::cout << '\n' << title << '\n' << table.plain() << std::flush;
}

void Report::note(std::string_view text) const { std::cout << text << std::endl; }

void Report::figure(const Figure& figure) {
    Status drawn = draw(figure, folder_);
    if (drawn) return;
    if (drawn.error().code == ErrorCode::not_found) {
        if (!std::exchange(without_gnuplot_, true))
            std::cerr << "planetserve_eval: no figures, since there is no gnuplot here (Debian: gnuplot-nox)\n";
        return;
    }
    std::cerr << "planetserve_eval: no figure " << figure.name << ": " << drawn.error().message << '\n';
}

void Report::set(std::string key, Value value) {
    auto found = std::ranges::find(summary_, key, [](const auto& entry) { return entry.first; });
    if (found == summary_.end())
        summary_.emplace_back(std::move(key), std::move(value));
    else
        found->second = std::move(value);
}

std::string Report::summary_json() const {
    auto rendered = [](const Value& value) -> std::string {
        if (const auto* number = std::get_if<double>(&value)) {
            if (!std::isfinite(*number)) return "null";
            char text[32];
            std::snprintf(text, sizeof(text), "%.9g", *number);
            return text;
        }
        if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
        if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
        return boost::json::serialize(boost::json::value(std::get<std::string>(value)));
    };
    std::string out = "{";
    for (const auto& [key, value] : summary_)
        out += (out.size() > 1 ? ",\n  " : "\n  ") + boost::json::serialize(boost::json::value(key)) + ": " +
               rendered(value);
    return out + "\n}\n";
}

Status Report::finish() {
    if (Status written = write_file(folder_ / "summary.json", summary_json()); !written) return written;
    std::cout << "\nwritten to " << folder_.string() << ": summary.json and what it is made from" << std::endl;
    return {};
}

}  // namespace planetserve::eval
