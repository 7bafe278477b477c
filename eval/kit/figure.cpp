#include "eval/kit/figure.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <system_error>
#include <thread>

#include "eval/kit/files.h"

namespace planetserve::eval {

namespace {

// In gnuplot's double quotes; enhanced text is off, so that only these two mean something.
std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c == '\n' ? ' ' : c;
    }
    return out + "\"";
}

std::string_view with(Figure::Style style) {
    switch (style) {
        case Figure::Style::lines:
            return "lines lw 2";
        case Figure::Style::lines_and_points:
            return "linespoints lw 2 pt 7 ps 0.5";
        case Figure::Style::points:
            return "points pt 7 ps 0.4";
        case Figure::Style::steps:
            return "steps lw 2";
        case Figure::Style::bars:
            return "histograms";
    }
    return "lines";
}

void write_data(std::ostream& out, const Figure& figure) {
    for (std::size_t i = 0; i < figure.series.size(); ++i) {
        out << "$data" << i << " << EOD\n";
        std::size_t group = 0;
        for (auto [x, y] : figure.series[i].points) {
            if (figure.style == Figure::Style::bars) {
                out << quoted(group < figure.groups.size() ? figure.groups[group] : "") << ' ' << y << '\n';
                ++group;
            } else if (std::isfinite(x) && std::isfinite(y)) {
                out << x << ' ' << y << '\n';
            }
        }
        out << "EOD\n";
    }
}

// The exit status, or nothing when the program is not there.
Status run_gnuplot(const std::filesystem::path& folder, const std::string& script) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
    std::string program = "gnuplot";
    std::string argument = script;
    char* argv[] = {program.data(), argument.data(), nullptr};
    pid_t pid = 0;
    int error = posix_spawnp(&pid, program.c_str(), &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT) return fail(ErrorCode::not_found, "there is no gnuplot here");
    if (error) return fail(ErrorCode::io, "gnuplot: " + std::generic_category().message(error));
    auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    int state = 0;
    while (waitpid(pid, &state, WNOHANG) == 0) {
        if (std::chrono::steady_clock::now() > end) {
            kill(pid, SIGKILL);
            waitpid(pid, &state, 0);
            return fail(ErrorCode::timed_out, "gnuplot did not finish within a minute");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return fail(ErrorCode::internal, "gnuplot could not draw " + (folder / script).string());
    return {};
}

}  // namespace

Series cumulative_distribution(std::string title, std::vector<double> values) {
    std::ranges::sort(values);
    Series series{std::move(title), {}};
    for (std::size_t i = 0; i < values.size(); ++i)
        series.points.emplace_back(values[i], static_cast<double>(i + 1) / static_cast<double>(values.size()));
    return series;
}

std::string gnuplot_script(const Figure& figure) {
    std::ostringstream out;
    out.precision(9);
    out << "# Draws " << figure.name << ".svg: gnuplot " << figure.name << ".gp\n"
        << "set terminal svg size 800,480 noenhanced font 'sans,13' background 'white'\n"
        << "set output '" << figure.name << ".svg'\n"
        << "set title " << quoted(figure.title) << "\nset xlabel " << quoted(figure.x_label) << "\nset ylabel "
        << quoted(figure.y_label) << "\nset grid back lc rgb '#dddddd'\nset key outside right top\nset border 3\n"
        << "set tics nomirror\n";
    if (figure.log_x) out << "set logscale x\n";
    if (figure.log_y) out << "set logscale y\n";
    bool bars = figure.style == Figure::Style::bars;
    if (bars)
        out << "set style data histograms\nset style histogram clustered gap 1\nset style fill solid 0.8 noborder\n";
    if (bars && !figure.log_y) out << "set yrange [0:*]\n";
    write_data(out, figure);
    out << "plot ";
    for (std::size_t i = 0; i < figure.series.size(); ++i)
        out << (i ? ", " : "") << "$data" << i << " using " << (bars ? "2:xtic(1)" : "1:2") << " with "
            << with(figure.style) << " title " << quoted(figure.series[i].title);
    out << "\n";
    return out.str();
}

Status draw(const Figure& figure, const std::filesystem::path& folder) {
    std::string script = figure.name + ".gp";
    if (Status written = write_file(folder / script, gnuplot_script(figure)); !written) return written;
    // gnuplot does not draw nothing.
    if (std::ranges::any_of(figure.series, [](const Series& series) { return series.points.empty(); }) ||
        figure.series.empty())
        return fail(ErrorCode::invalid_argument, "the figure " + figure.name + " has nothing to show");
    return run_gnuplot(folder, script);
}

}  // namespace planetserve::eval
