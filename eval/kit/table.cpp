#include "eval/kit/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace planetserve::eval {

namespace {

std::string csv_quoted(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == text.npos) return text;
    std::string out = "\"";
    for (char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
    return out + "\"";
}

}  // namespace

std::string Cell::text(int digits) const {
    if (const auto* word = std::get_if<std::string>(&value_)) return *word;
    if (const auto* whole = std::get_if<std::int64_t>(&value_)) return std::to_string(*whole);
    const auto* number = std::get_if<double>(&value_);
    if (!number || !std::isfinite(*number)) return "";
    char text[64];
    std::snprintf(text, sizeof(text), "%.*g", digits, *number);
    return text;
}

void Table::add(std::vector<Cell> row) {
    if (row.size() != columns_.size()) throw std::logic_error("a row has another number of cells than its table");
    rows_.push_back(std::move(row));
}

std::string Table::csv() const {
    std::string out;
    for (std::size_t i = 0; i < columns_.size(); ++i) out += (i ? "," : "") + csv_quoted(columns_[i]);
    out += '\n';
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) out += (i ? "," : "") + csv_quoted(row[i].text(12));
        out += '\n';
    }
    return out;
}

std::string Table::plain() const {
    std::vector<std::size_t> widths;
    std::vector<bool> words;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        widths.push_back(columns_[i].size());
        words.push_back(!rows_.empty() && rows_[0][i].is_word());
        for (const auto& row : rows_) widths[i] = std::max(widths[i], row[i].text(4).size());
    }
    std::string out;
    auto line = [&](auto text_of) {
        std::string made;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            std::string text = text_of(i);
            std::string padding(widths[i] - text.size(), ' ');
            made += (i ? "  " : "") + (words[i] ? text + padding : padding + text);
        }
        made.erase(made.find_last_not_of(' ') + 1);
        out += made + "\n";
    };
    line([&](std::size_t i) { return columns_[i]; });
    for (const auto& row : rows_) line([&](std::size_t i) { return row[i].text(4); });
    return out;
}

}  // namespace planetserve::eval
