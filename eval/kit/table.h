// Rows under named columns: what is written as CSV and printed for people.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace planetserve::eval {

// Nothing, a whole number, a number, or a word.
class Cell {
public:
    Cell() = default;
    template <std::integral T>
    Cell(T value) : value_(static_cast<std::int64_t>(value)) {}
    Cell(double value) : value_(value) {}
    Cell(std::string value) : value_(std::move(value)) {}
    Cell(std::string_view value) : value_(std::string(value)) {}
    Cell(const char* value) : value_(std::string(value)) {}

    // Numbers with `digits` significant digits; nothing, and what is not a finite number, is empty.
    std::string text(int digits) const;
    bool is_word() const { return std::holds_alternative<std::string>(value_); }

private:
    std::variant<std::monostate, std::int64_t, double, std::string> value_;
};

class Table {
public:
    explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

    // REQUIRES: as many cells as columns.
    void add(std::vector<Cell> row);

    bool empty() const { return rows_.empty(); }
    std::size_t size() const { return rows_.size(); }
    std::string csv() const;    // RFC 4180 with "\n" line ends, a header line, full precision
    std::string plain() const;  // aligned, four significant digits

private:
    std::vector<std::string> columns_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace planetserve::eval
