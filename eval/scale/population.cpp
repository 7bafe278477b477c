#include "eval/scale/population.h"

#include <algorithm>
#include <cmath>

#include "eval/kit/overlay/distance.h"
#include "eval/kit/overlay/simulated_overlay.h"
#include "eval/scale/costs.h"

namespace planetserve::eval {

namespace {

class Population {
public:
    Population(const PopulationShape& shape, std::uint64_t seed)
        : shape_(shape), overlay_(seed, [](const NodeId& from, const NodeId& to) { return distance(from, to); }) {
        std::vector<onion::RelayInfo> listed;
        listed.reserve(shape.users);
        for (std::size_t i = 0; i < shape.users; ++i)
            listed.push_back(users_.emplace_back(overlay_.make_user({})).listed);
        for (std::size_t i = 0; i < shape.models; ++i)
            view_.models.push_back(models_.emplace_back(overlay_.make_model_node({40, 200ms, 50ms, 10'000})).listed);
        view_.relays = std::move(listed);
        asked_.resize(users_.size());
        for (std::size_t i = 0; i < users_.size(); ++i) {
            overlay_.clock().after(within(shape.warm_up * 9 / 10), [this, i] {
                overlay_.tell_directory(users_[i], view_);
                ask_later(i);
            });
        }
    }

    PopulationCost run(const std::function<void(double)>& progress, std::size_t memory_before) {
        PopulationCost cost;
        double cpu = processor_seconds();
        overlay_.clock().run_for(shape_.warm_up);
        cost.warm_up_cpu_seconds = processor_seconds() - cpu;
        const auto events = overlay_.clock().events_run(), frames = overlay_.network().frames(),
                   bytes = overlay_.network().bytes();
        const auto setups = setups_taken();
        measuring_ = true;
        cpu = processor_seconds();
        constexpr int steps = 100;
        const Time begun = overlay_.clock().now();
        for (int step = 1; step <= steps; ++step) {
            overlay_.clock().run_until(begun + shape_.measured * step / steps);
            progress(static_cast<double>(step) / steps);
        }
        cost.cpu_seconds = processor_seconds() - cpu;
        const std::size_t memory = resident_bytes();
        cost.memory_bytes = memory > memory_before ? memory - memory_before : 0;
        cost.events = overlay_.clock().events_run() - events;
        cost.frames = overlay_.network().frames() - frames;
        cost.frame_bytes = overlay_.network().bytes() - bytes;
        cost.setups = setups_taken() - setups;
        cost.requests = requests_;
        for (const Asked& asked : asked_) note(asked);
        cost.answered = answered_;
        for (const auto& user : users_) {
            cost.paths_up += user.paths_up();
            cost.relayed_paths_most = std::max(cost.relayed_paths_most, user.host->node.relay().relay().paths());
        }
        return cost;
    }

private:
    Duration within(Duration most) {
        return Duration(overlay_.random().below(static_cast<std::uint64_t>(most.count()) + 1));
    }

    std::uint64_t setups_taken() const {
        std::uint64_t count = 0;
        for (const auto& user : users_) count += user.host->node.relay().relay().counters().setups_accepted;
        return count;
    }

    void ask_later(std::size_t i) {
        if (shape_.requests_an_hour <= 0) return;
        const double wait = -std::log(1 - overlay_.random().unit()) * 3600 / shape_.requests_an_hour;
        overlay_.clock().after(std::chrono::round<Duration>(std::chrono::duration<double>(wait)),
                               [this, i] { ask(i); });
    }
    struct Asked {
        std::unique_ptr<SimulatedReply> reply;
        bool measured = false;  // asked in the measured time
    };
    void note(const Asked& asked) {
        if (asked.measured && asked.reply->state() == SimulatedReply::State::ended) ++answered_;
    }
    void ask(std::size_t i) {
        note(asked_[i]);
        asked_[i] = {std::make_unique<SimulatedReply>(overlay_.clock(), SimulatedReply::Reading::forgotten),
                     measuring_};
        if (measuring_) ++requests_;
        overlay_.ask(users_[i], overlay_.random_body(), *asked_[i].reply);
        ask_later(i);
    }

    PopulationShape shape_;
    SimulatedOverlay overlay_;
    node::DirectoryView view_;
    std::vector<SimulatedModelNode> models_;
    std::vector<SimulatedUser> users_;
    std::vector<Asked> asked_;  // of each user, the last one
    bool measuring_ = false;
    std::uint64_t requests_ = 0;
    std::uint64_t answered_ = 0;
};

}  // namespace

PopulationCost run_population(const PopulationShape& shape, std::uint64_t seed,
                              const std::function<void(double)>& progress) {
    const std::size_t before = resident_bytes();
    return std::make_unique<Population>(shape, seed)->run(progress, before);
}

}  // namespace planetserve::eval
