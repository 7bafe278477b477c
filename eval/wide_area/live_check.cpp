#include "eval/wide_area/live_check.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <set>
#include <thread>

#include "base/random.h"
#include "eval/kit/live/other_load.h"
#include "eval/kit/statistics.h"
#include "eval/wide_area/first_token.h"
#include "eval/wide_area/live_network.h"
#include "eval/wide_area/wide_overlay.h"
#include "local/process.h"

namespace planetserve::eval {

namespace {

constexpr Duration warm_up = 90s;
constexpr Duration quick_warm_up = 20s;
constexpr Duration visit_deadline = 40s;
constexpr Duration look_every = 100ms;
// Of each place, in the simulator.
constexpr std::size_t simulated_visits = 60;

double in_milliseconds(Duration duration) { return to_seconds(duration) * 1000; }

struct SetUps {
    std::vector<double> took;
    std::vector<double> round_trips;  // what the links of the same paths add up to
};

struct LiveSamples {
    SetUps setup_new, setup_up;
    std::vector<double> token_new, token_up;
    std::vector<double> engine;
    std::size_t left_out = 0;  // paths over links that were as new as not
};

// Looks at paths as they come up, and takes those whose links were all up, or all but the user's own.
class PathWatch {
public:
    PathWatch(const LiveNetwork& network, LiveSamples& samples) : network_(network), samples_(samples) {}

    // A user that stays: what came up since the last look, over links that had been up before it was begun.
    void look_at_resident(std::size_t user) {
        Time now = clock_.now();
        auto status = network_.status(user);
        if (!status) return;
        Seen& seen = seen_[user];
        for (const LivePath& path : status->paths) {
            if (!path.up || !seen.numbers.insert(path.number).second || !seen.last) continue;
            take(samples_.setup_up, path, 0, *seen.last - path.setup);
        }
        seen.last = now;
    }

    // The first paths of a user that came after `begun`.
    void take_visitor(const LiveUserStatus& status, std::size_t paths, Time begun) {
        for (const LivePath& path : status.paths)
            if (path.up && path.number <= paths) take(samples_.setup_new, path, 1, begun);
    }

private:
    struct Seen {
        std::set<std::uint64_t> numbers;
        std::optional<Time> last;
    };

    // `fresh`: how many of its first links are new; the others were up before the time.
    void take(SetUps& of, const LivePath& path, std::size_t fresh, Time before) {
        Duration expected{};
        for (std::size_t i = 0; i + 1 < path.nodes.size(); ++i) {
            std::size_t one = path.nodes[i], other = path.nodes[i + 1];
            Duration away = round_trip(network_.place(one), network_.place(other));
            expected += away * (i < fresh ? 1 + link_round_trips : 1);
            auto since = network_.lines().connected_since(one, other);
            bool stays = other < network_.relays();
            if (!stays || (i >= fresh && (!since || *since + link_round_trips * away > before))) {
                ++samples_.left_out;
                return;
            }
        }
        if (path.nodes.empty()) return;
        of.took.push_back(in_milliseconds(path.setup));
        of.round_trips.push_back(in_milliseconds(expected));
    }

    const LiveNetwork& network_;
    LiveSamples& samples_;
    SystemClock clock_;
    std::map<std::size_t, Seen> seen_;
};

// What the simulator says of the same places.
LiveSamples simulate(const LiveNetworkOptions& live, Duration engine, std::uint64_t seed) {
    OverlayShape shape{live.relays, {live.model}, engine, live.hops};
    WideOverlay overlay(shape, seed);
    LiveSamples samples;
    Progress progress("simulated", live.relays.size() * simulated_visits);
    for (std::size_t i = 0; i < live.relays.size() * simulated_visits; ++i) {
        std::size_t at = i % live.relays.size();
        for (const auto& path : overlay.visit(live.relays[at], LinksUp::all, at).paths)
            samples.setup_up.took.push_back(in_milliseconds(path.setup));
        UserSample newcomer = overlay.visit(live.relays[at], LinksUp::between_relays);
        for (const auto& path : newcomer.paths) samples.setup_new.took.push_back(in_milliseconds(path.setup));
        if (newcomer.first) samples.token_new.push_back(in_milliseconds(*newcomer.first));
        if (newcomer.later) samples.token_up.push_back(in_milliseconds(*newcomer.later));
        progress.advance();
    }
    return samples;
}

class Check {
public:
    Check(boost::asio::io_context& context, LiveNetwork& network, std::string engine, LiveSamples& samples)
        : context_(context),
          network_(network),
          engine_(std::move(engine)),
          samples_(samples),
          watch_(network, samples) {}

    void look_at_residents() {
        for (std::size_t user = 0; user < network_.relays(); ++user) watch_.look_at_resident(user);
    }

    std::size_t pairs_apart() const {
        std::size_t apart = 0;
        for (std::size_t one = 0; one < network_.relays(); ++one)
            for (std::size_t other = 0; other < one; ++other)
                apart += network_.lines().connected_since(one, other) ? 0 : 1;
        return apart;
    }

    // A user comes to the place, builds its paths, asks twice, and goes.
    Status visit(const Place& place) {
        // So that no proxy has a link to it.
        if (Status started = network_.restart_model(); !started) return started;
        Time begun = clock_.now();
        auto user = network_.visit(place);
        if (!user) return std::unexpected(user.error());
        Status done = use(*user, begun);
        network_.leave(*user);
        look_at_residents();
        return done;
    }

private:
    Status use(std::size_t user, Time begun) {
        std::string why = "it does not answer";
        for (bool ready = false; !ready; std::this_thread::sleep_for(look_every)) {
            if (clock_.now() > begun + visit_deadline)
                return fail(ErrorCode::timed_out, "a user that came could not ask: " + why);
            auto status = network_.status(user);
            if (!status) continue;
            why = status->reason;
            ready = status->ready;
            if (ready) watch_.take_visitor(*status, 4, begun);
        }
        for (auto* into : {&samples_.token_new, &samples_.token_up}) {
            auto direct = first_token(context_, engine_, local_model_name, prompts_++);
            if (!direct) return std::unexpected(direct.error());
            samples_.engine.push_back(in_milliseconds(*direct));
            auto token = first_token(context_, network_.api(user), local_model_name, prompts_++);
            if (!token) return std::unexpected(token.error());
            into->push_back(in_milliseconds(*token));
        }
        return {};
    }

    boost::asio::io_context& context_;
    LiveNetwork& network_;
    std::string engine_;
    LiveSamples& samples_;
    PathWatch watch_;
    SystemClock clock_;
    std::uint64_t prompts_ = 0;
};

struct Row {
    const char* what;
    const char* links;
    const char* key;
    const std::vector<double>* live;
    const std::vector<double>* simulated;
    const std::vector<double>* round_trips;  // of the same paths
};

Status tell(const LiveSamples& live, const LiveSamples& simulated, Report& report) {
    Table table({"what", "links", "number", "live p50, ms", "p90", "simulated p50", "p90", "live / simulated",
                 "live / its own round trips"});
    Table samples({"what", "links", "where", "ms", "round_trips_ms"});
    for (const Row& row :
         {Row{"set-up", "new", "setup_new", &live.setup_new.took, &simulated.setup_new.took,
              &live.setup_new.round_trips},
          Row{"set-up", "up", "setup", &live.setup_up.took, &simulated.setup_up.took, &live.setup_up.round_trips},
          Row{"first token", "new", "first_token_new", &live.token_new, &simulated.token_new, nullptr},
          Row{"first token", "up", "first_token", &live.token_up, &simulated.token_up, nullptr}}) {
        Distribution ours = distribution(*row.live), theirs = distribution(*row.simulated);
        std::string key(row.key);
        std::vector<double> ratios;
        for (std::size_t i = 0; i < ours.count; ++i) {
            Cell trips;
            if (row.round_trips) {
                ratios.push_back((*row.live)[i] / (*row.round_trips)[i]);
                trips = (*row.round_trips)[i];
            }
            samples.add({row.what, row.links, "live", (*row.live)[i], trips});
        }
        for (double value : *row.simulated) samples.add({row.what, row.links, "simulated", value, Cell()});
        Distribution of_own = distribution(ratios);
        table.add({row.what, row.links, ours.count, ours.p50, ours.p90, theirs.p50, theirs.p90, ours.p50 / theirs.p50,
                   of_own.p50});
        report.summary("live_" + key + "_count", ours.count);
        report.summary("live_" + key + "_ms_p50", ours.p50);
        report.summary("simulated_" + key + "_ms_p50", theirs.p50);
        report.summary("live_over_simulated_" + key, ours.p50 / theirs.p50);
        if (row.round_trips) report.summary("live_over_own_round_trips_" + key, of_own.p50);
    }
    report.print("Live processes with distances between them, beside the simulator", table);
    if (Status written = report.csv("live_samples", samples); !written) return written;
    return report.csv("live_check", table);
}

}  // namespace

void LiveCheck::add_options(CLI::App& app) {
    app.add_flag("--live", live, "real node processes on this machine, beside the simulator; not the tables above");
    app.add_option("--live-area", area, "us or world, for --live (default world)")
        ->check(CLI::IsMember({"us", "world"}));
    app.add_option("--live-relays", relays, "user nodes that stay, for --live (default 12)")
        ->check(CLI::Range(3U, 100U));
    app.add_option("--live-visits", visits, "users who come, ask twice and go (default 40; 6 with --quick)")
        ->check(CLI::Range(1U, 1000U));
    app.add_option("--program", program, "planetserve, for --live (default: beside this program)");
    engine.add_options(app);
}

Status LiveCheck::run(const RunOptions& options, std::size_t hops, double line_ms, Report& report) {
    if (Status resolved = engine.resolve(); !resolved) return resolved;
    const std::uint32_t count = visits > 0 ? visits : options.quick ? 6 : 40;
    SeededRandom random(options.seed);
    const auto regions = regions_of(area == "us" ? Area::us : Area::world);
    auto folder = report.folder() / "nodes";
    std::error_code error;
    std::filesystem::remove_all(folder, error);
    std::filesystem::create_directories(folder, error);
    if (error) return fail(ErrorCode::io, "cannot make " + folder.string() + ": " + error.message());
    folder = std::filesystem::absolute(folder);

    boost::asio::io_context context{1};
    auto engines = start_engines(context, engine, 1, folder);
    if (!engines) return std::unexpected(engines.error());
    LiveNetworkOptions shape;
    shape.program = program.empty() ? (local::own_program().parent_path() / "planetserve").string() : program;
    shape.folder = folder;
    for (std::size_t i = 0; i < relays; ++i)
        shape.relays.push_back(
            {regions[i % regions.size()], Duration(static_cast<std::int64_t>(random.unit() * 2 * line_ms * 1000))});
    shape.model = shape.verifier = {regions.front(), {}};
    shape.hops = hops;
    shape.engine = engines->front()->base_url();
    shape.model_name = local_model_name;
    auto network = LiveNetwork::start(context, shape);
    if (!network) return std::unexpected(network.error());
    auto processes = (*network)->processes();
    processes.push_back(engines->front()->pid());
    OtherLoad others(processes);

    LiveSamples got;
    Check check(context, **network, engines->front()->base_url(), got);
    SystemClock clock;
    {
        Progress progress("links between the relays", static_cast<std::uint64_t>(relays) * (relays - 1) / 2);
        for (Time end = clock.now() + (options.quick ? quick_warm_up : warm_up);
             clock.now() < end && check.pairs_apart() > 0;) {
            progress.set(static_cast<std::uint64_t>(relays) * (relays - 1) / 2 - check.pairs_apart());
            check.look_at_residents();
            std::this_thread::sleep_for(1s);
        }
    }
    Progress progress("visits", count);
    std::uint32_t failed = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (Status visited = check.visit(shape.relays[i % relays]); !visited) {
            std::cerr << "\nvisit " << i + 1 << ": " << visited.error().message << "\n";
            if (++failed > count / 4) return visited;
        }
        progress.advance();
    }

    double engine_ms = distribution(got.engine).p50;
    report.summary("area", area);
    report.summary("hops", hops);
    report.summary("relays", relays);
    report.summary("visits", count);
    report.summary("visits_failed", failed);
    report.summary("engine_first_token_ms_p50", engine_ms);
    report.summary("paths_left_out", got.left_out);
    Distribution late = distribution((*network)->lines().lateness());
    report.summary("delay_lateness_ms_p50", late.p50);
    report.summary("delay_lateness_ms_p99", late.p99);
    report.summary("other_load_cores", others.cores());
    LiveSamples simulated = simulate(shape, Duration(static_cast<std::int64_t>(engine_ms * 1000)), random.next());
    return tell(got, simulated, report);
}

}  // namespace planetserve::eval
