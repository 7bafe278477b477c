#include "adapters/process/supervisor.h"

#include <signal.h>

#include "adapters/process/program_files.h"

namespace planetserve::adapters {

using State = Supervision::State;
using Action = Supervision::Action;

namespace {

EndCause cause_of(const ProcessEnd& end) {
    switch (end.signal) {
        case SIGKILL:
        case SIGTERM:
        case SIGINT:
        case SIGQUIT:
        case SIGHUP:
            return EndCause::signal;
        default:
            return EndCause::own;
    }
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& context, const Clock& clock, SupervisionLimits limits,
                       SupervisedProgram& program)
    : context_(context), clock_(clock), program_(program), supervision_(limits), timer_(context) {}

void Supervisor::run() {
    if (supervision_.state() == State::stopped) act(supervision_.run(clock_.now()));
}

void Supervisor::stop() { act(supervision_.stop(clock_.now())); }

void Supervisor::fail(std::string why) {
    if (supervision_.runs()) on_end({std::move(why), SIGKILL});
}

void Supervisor::act(Action action) {
    switch (action) {
        case Action::none:
            break;
        case Action::launch:
            return launch();
        case Action::probe:
            probe();
            break;
        case Action::terminate:
            child_->signal(SIGTERM);
            break;
        case Action::kill:
            kill();
            break;
    }
    tell();
    set_timer();
}

void Supervisor::launch() {
    tell();
    if (Status started = start_child(); !started) return on_end({"could not be started: " + started.error().message});
    set_timer();
}

Status Supervisor::start_child() {
    auto command = program_.prepare();
    if (!command) return std::unexpected(command.error());
    put_log_by(command->log);
    auto child =
        ChildProcess::start(context_, command->argv, command->log, [this, owner = lifetime_.watch()](ProcessEnd end) {
            if (!owner.gone()) on_end(std::move(end));
        });
    if (!child) return std::unexpected(child.error());
    child_ = std::move(*child);
    return {};
}

void Supervisor::probe() {
    program_.probe([this, owner = lifetime_.watch(), number = ++probes_](ProbeAnswer answer) {
        if (!owner.gone()) on_probe(number, answer);
    });
}

void Supervisor::on_probe(std::uint64_t number, ProbeAnswer answer) {
    if (number == probes_ && supervision_.probing()) act(supervision_.probed(answer, clock_.now()));
}

void Supervisor::on_end(ProcessEnd end) {
    child_.reset();
    last_cause_ = cause_of(end);
    last_end_ = std::move(end.words);
    supervision_.ended(clock_.now(), program_.fault_of_end());
    program_.clean_up();
    tell();
    set_timer();
}

// told_ is the state before: it says whether the program ever answered.
void Supervisor::kill() {
    child_.reset();
    last_cause_ = EndCause::signal;
    if (supervision_.state() == State::waiting)
        last_end_ =
            (told_ == State::starting ? program_.late_words() : program_.unresponsive_words()) + " and was killed";
    program_.clean_up();
}

void Supervisor::set_timer() {
    Time at = supervision_.next_timer();
    if (at == Time::max()) {
        timer_.cancel();
        return;
    }
    timer_.expires_after(at - clock_.now());
    timer_.async_wait([this, owner = lifetime_.watch()](boost::system::error_code error) {
        if (error || owner.gone()) return;
        auto action = supervision_.on_timer(clock_.now());
        act(action);
    });
}

void Supervisor::tell() {
    State state = supervision_.state();
    if (state == std::exchange(told_, state)) return;
    program_.on_state(state);
}

}  // namespace planetserve::adapters
