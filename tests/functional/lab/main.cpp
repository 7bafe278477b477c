// planetserve_lab CONFIG [MODE [RECORD]], planetserve_lab CONFIG ask: a user node of the real program whose cells a
// hostile hand changes, and which writes down every frame it gets and sends; or which asks whatever it is told to
// (raw_user.h). Functional tests run it as a relay and as a user among others.

#include <curl/curl.h>

#include <iostream>

#include "hostile_sender.h"
#include "raw_user.h"
#include "roles/user_role.h"

namespace planetserve::lab {

namespace {

class RecordingRole final : public roles::RoleEvents {
public:
    RecordingRole(roles::UserRole& role, Recorder* recorder) : role_(role), recorder_(recorder) {}

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        if (recorder_ != nullptr) recorder_->record('<', from, type, payload);
        role_.on_frame(from, type, payload);
    }
    void on_link_down(const NodeId& peer) override { role_.on_link_down(peer); }
    void on_drained(const NodeId& peer) override { role_.on_drained(peer); }
    void on_timer() override { role_.on_timer(); }
    Time next_timer() const override { return role_.next_timer(); }
    void on_list(const committee::DirectoryList& list) override { role_.on_list(list); }

private:
    roles::UserRole& role_;
    Recorder* recorder_;
};

enum class Asks : std::uint8_t { nothing, what_it_is_told };

int run(const std::string& file, Mode mode, const std::string& record, Asks asks) {
    auto config = config::load_user_config(file);
    if (!config) throw std::runtime_error(config.error().message);
    roles::Runtime runtime(config->common, roles::user_node);
    std::unique_ptr<Recorder> recorder;
    if (!record.empty()) recorder = std::make_unique<Recorder>(record);
    HostileSender sender(runtime.links(), mode, recorder.get(), runtime.random(), runtime.context());
    roles::UserRole role(runtime, *config, sender);
    RecordingRole recording(role, recorder.get());
    std::optional<RawUser> user;
    if (asks == Asks::what_it_is_told) user.emplace(runtime, role);
    runtime.attach(recording, committee::NodeDescriptor{});
    runtime.run(std::nullopt, [](const std::function<void()>& finished) { finished(); });
    return 0;
}

}  // namespace

}  // namespace planetserve::lab

int main(int argc, char** argv) {
    if (argc < 2) {
        std::cerr << "planetserve_lab CONFIG [honest|corrupt|drop|duplicate|replay|delay [RECORD]], or CONFIG ask\n";
        return 2;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    using planetserve::lab::Asks;
    const std::string wanted = argc > 2 ? argv[2] : "honest";
    const Asks asks = wanted == "ask" ? Asks::what_it_is_told : Asks::nothing;
    auto mode = planetserve::lab::parse_mode(asks == Asks::nothing ? wanted : "honest");
    if (!mode) {
        std::cerr << "planetserve_lab: no mode \"" << argv[2] << "\"\n";
        return 2;
    }
    try {
        return planetserve::lab::run(argv[1], *mode, argc > 3 ? argv[3] : "", asks);
    } catch (const std::exception& error) {
        std::cerr << "planetserve_lab: " << error.what() << "\n";
        return 1;
    }
}
