// What every benchmark prints: figures, each beside its reference from the same run.
//
//     bench::Report report("bench_dispersal", argc, argv);   // --json FILE also writes the rows as a JSON array
//     report.add("split/8KiB", 5.1, "us", 4.2);              // ratio = value / reference
//     return report.finish();
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace planetserve::bench {

struct Row {
    std::string name;
    double value = 0;
    std::string unit;
    std::optional<double> reference;

    std::optional<double> ratio() const {
        if (!reference || *reference == 0) return std::nullopt;
        return value / *reference;
    }
};

class Report {
public:
    // Reads the command line; leaves the program with a word on how to use it when it does not understand.
    Report(std::string program, int argc, char** argv) : program_(std::move(program)) {
        for (int i = 1; i < argc; ++i) {
            std::string_view argument = argv[i];
            if (argument == "--json" && i + 1 < argc) {
                json_file_ = argv[++i];
            } else {
                bool help = argument == "--help" || argument == "-h";
                (help ? std::cout : std::cerr) << "usage: " << program_ << " [--json FILE]\n";
                std::exit(help ? 0 : 2);
            }
        }
    }

    // Names and units are plain words: no quotes or control characters.
    void add(std::string name, double value, std::string unit, std::optional<double> reference = std::nullopt) {
        rows_.push_back({std::move(name), value, std::move(unit), reference});
    }

    // Prints the table and writes the file; what main returns.
    int finish() const {
        std::size_t width = 4;
        for (const Row& row : rows_) width = std::max(width, row.name.size());
        std::cout << std::left << std::setw(static_cast<int>(width)) << "name" << std::right << std::setw(14) << "value"
                  << std::setw(14) << "reference" << std::setw(9) << "ratio" << "  unit\n";
        for (const Row& row : rows_)
            std::cout << std::left << std::setw(static_cast<int>(width)) << row.name << std::right << std::setw(14)
                      << number(row.value) << std::setw(14) << number(row.reference) << std::setw(9)
                      << number(row.ratio(), 3) << "  " << row.unit << '\n';
        if (json_file_.empty()) return 0;
        std::ofstream file(json_file_);
        file << json() << std::flush;
        if (file) return 0;
        std::cerr << program_ << ": cannot write " << json_file_ << '\n';
        return 1;
    }

    std::string json() const {
        std::ostringstream out;
        out << std::setprecision(9) << "[";
        auto field = [&out](std::optional<double> value) {
            if (value)
                out << *value;
            else
                out << "null";
        };
        for (const Row& row : rows_) {
            out << (&row == rows_.data() ? "\n" : ",\n") << R"(  {"name": ")" << row.name << R"(", "value": )"
                << row.value << R"(, "unit": ")" << row.unit << R"(", "reference": )";
            field(row.reference);
            out << R"(, "ratio": )";
            field(row.ratio());
            out << "}";
        }
        out << "\n]\n";
        return out.str();
    }

private:
    static std::string number(std::optional<double> value, int digits = 4) {
        if (!value) return "-";
        std::ostringstream out;
        out << std::setprecision(digits) << *value;
        return out.str();
    }

    std::string program_;
    std::string json_file_;
    std::vector<Row> rows_;
};

// Microseconds a call, as medians.
struct Comparison {
    double value = 0;
    double reference = 0;
};

// Times two things turn by turn, so that what disturbs the machine disturbs both alike. Each is given as what times so
// many calls of it and returns microseconds a call. A turn is as many calls as take about turn_time; there are as many
// turns as fit into total_time, 15 at the least.
template <typename TimeValue, typename TimeReference>
Comparison compare_timed(TimeValue time_value, TimeReference time_reference,
                         std::chrono::microseconds total_time = std::chrono::milliseconds(600),
                         std::chrono::microseconds turn_time = std::chrono::microseconds(100)) {
    using Clock = std::chrono::steady_clock;
    // By a run that was as long as a turn: the first calls after a pause are slower.
    auto calls_a_turn = [&](auto& time) {
        time(3);
        for (std::size_t calls = 10;; calls *= 2) {
            double all = time(calls) * static_cast<double>(calls);
            if (all < static_cast<double>(turn_time.count())) continue;
            return std::max<std::size_t>(
                1, static_cast<std::size_t>(static_cast<double>(turn_time.count()) * static_cast<double>(calls) / all));
        }
    };
    const std::size_t value_calls = calls_a_turn(time_value);
    const std::size_t reference_calls = calls_a_turn(time_reference);
    std::vector<double> values;
    std::vector<double> references;
    for (auto start = Clock::now(); values.size() < 15 || Clock::now() - start < total_time;) {
        values.push_back(time_value(value_calls));
        references.push_back(time_reference(reference_calls));
    }
    auto median = [](std::vector<double>& samples) {
        auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
        std::nth_element(samples.begin(), middle, samples.end());
        return *middle;
    };
    return {median(values), median(references)};
}

// What times calls of a function, for compare_timed.
template <typename Function>
auto timed(Function& function) {
    return [&function](std::size_t calls) {
        using Clock = std::chrono::steady_clock;
        auto start = Clock::now();
        for (std::size_t i = 0; i < calls; ++i) function();
        return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / static_cast<double>(calls);
    };
}

template <typename Value, typename Reference>
Comparison compare(Value value, Reference reference,
                   std::chrono::microseconds total_time = std::chrono::milliseconds(600),
                   std::chrono::microseconds turn_time = std::chrono::microseconds(100)) {
    return compare_timed(timed(value), timed(reference), total_time, turn_time);
}

// Keeps the compiler from dropping a computation whose result nobody reads.
template <typename T>
void keep(const T& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace planetserve::bench
