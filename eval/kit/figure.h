// Figures as SVG, drawn by gnuplot from a script that is kept beside them (NAME.gp draws NAME.svg anew).
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace planetserve::eval {

struct Series {
    std::string title;
    std::vector<std::pair<double, double>> points = {};
};

struct Figure {
    enum class Style { lines, lines_and_points, points, steps, bars };

    std::string name;  // of the files, without ending: letters, digits, '-' and '_'
    std::string title;
    std::string x_label;
    std::string y_label;
    Style style = Style::lines;
    bool log_x = false;
    bool log_y = false;
    std::vector<Series> series = {};
    // For bars: the label of each group of bars; the x of points is not looked at.
    std::vector<std::string> groups = {};
};

// The share of values at most x, as steps: for Style::steps.
Series cumulative_distribution(std::string title, std::vector<double> values);

std::string gnuplot_script(const Figure& figure);

// Writes DIR/NAME.gp and runs gnuplot, for at most a minute, which makes DIR/NAME.svg. not_found: there is no gnuplot.
Status draw(const Figure& figure, const std::filesystem::path& folder);

}  // namespace planetserve::eval
