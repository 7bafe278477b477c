// Runs a program as a child and keeps it running: probes it, restarts it with a growing pause, ends it in good order.
//
// When it does what is Supervision's to say (supervision.h); this starts the process, sets the timer and tells the
// owner. Everything happens on the thread that runs the io_context, which outlives the supervisor.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/process/child_process.h"
#include "adapters/process/supervision.h"
#include "base/lifetime.h"
#include "base/result.h"

namespace planetserve::adapters {

struct ProgramCommand {
    std::vector<std::string> argv;
    std::filesystem::path log;  // put by as LOG.1 when over 16 MiB at a start
};

// What the owner knows of its program.
class SupervisedProgram {
public:
    using AnswerProbe = std::function<void(ProbeAnswer)>;

    virtual ~SupervisedProgram() = default;
    // Makes ready what the program needs, before each start. An error counts as an end: it is tried again.
    virtual Result<ProgramCommand> prepare() = 0;
    // Asks whether the program serves. An answer after the deadline, or after the program's end, has no effect.
    virtual void probe(AnswerProbe answer) = 0;
    // The program ended just now, and clean_up() follows.
    virtual Fault fault_of_end() { return Fault::program; }
    // The process is gone, or never was: what prepare() and probe() made for it goes.
    virtual void clean_up() = 0;
    // The state is another one. Do not destroy the supervisor from here.
    virtual void on_state(Supervision::State state) = 0;
    // Why the program was killed, for last_end(): it did not serve in time after its start, or stopped answering.
    virtual std::string late_words() const = 0;
    virtual std::string unresponsive_words() const = 0;
};

// Whether a program ended by a fault of its own.
enum class EndCause : std::uint8_t {
    own,     // it exited, or crashed
    signal,  // somebody's signal to end, or this supervisor killed it
};

class Supervisor {
public:
    // The program and the clock outlive it.
    Supervisor(boost::asio::io_context& context, const Clock& clock, SupervisionLimits limits,
               SupervisedProgram& program);
    // Kills the program if it still runs, and tells nothing. Call stop() before, and wait for State::stopped, to end it
    // in good order.
    ~Supervisor() = default;

    // Starts the program, unless it runs or will be started again.
    void run();
    // Ends the program: SIGTERM, and SIGKILL after the grace.
    void stop();
    // Kills the program, which cannot go on for a reason that only the owner knows: it is started again after a pause.
    // Has no effect where none runs.
    void fail(std::string why);

    Supervision::State state() const { return supervision_.state(); }
    pid_t pid() const { return child_ ? child_->pid() : 0; }  // 0 when none runs
    std::uint64_t launches() const { return supervision_.launches(); }
    // How the last one ended: "exited with status 1", "could not be started: no such file".
    const std::string& last_end() const { return last_end_; }
    EndCause last_cause() const { return last_cause_; }

private:
    void act(Supervision::Action action);
    void launch();
    Status start_child();
    void probe();
    void on_probe(std::uint64_t number, ProbeAnswer answer);
    // The program ended by itself, or through fail().
    void on_end(ProcessEnd end);
    void kill();
    void set_timer();
    void tell();

    boost::asio::io_context& context_;
    const Clock& clock_;
    SupervisedProgram& program_;
    Supervision supervision_;
    std::unique_ptr<ChildProcess> child_;
    boost::asio::steady_timer timer_;
    std::uint64_t probes_ = 0;  // the last one's number
    std::string last_end_;
    EndCause last_cause_ = EndCause::own;
    Supervision::State told_ = Supervision::State::stopped;
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
