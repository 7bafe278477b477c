#include "roles/founding_fetch.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

#include "adapters/links/link_manager.h"
#include "crypto/identity.h"
#include "crypto/system_random.h"
#include "roles/version.h"

namespace planetserve::roles {

namespace {

constexpr Duration contact_deadline = 10s;

// One call to one contact.
class Fetch final : private adapters::LinkEvents {
public:
    Fetch(const wire::NetworkId& network, const committee::Invite::Contact& contact)
        : network_(network),
          contact_(contact),
          identity_(crypto::Identity::generate(random_)),
          links_(
              context_, identity_, hello(network), adapters::LinkOptions{}, static_cast<adapters::LinkEvents&>(*this),
              [address = contact.address](const NodeId&) { return std::vector{address}; }, random_, clock_) {}

    Result<committee::Founding> run() {
        const Bytes call = committee::founding_call();
        if (auto sent = links_.send(contact_.id, wire::FrameType::call_request, {call}); !sent)
            return std::unexpected(sent.error());
        boost::asio::steady_timer deadline(context_, contact_deadline);
        deadline.async_wait([this](boost::system::error_code error) {
            if (!error) finish(fail(ErrorCode::timed_out, "it does not answer"));
        });
        context_.run();
        return std::move(*result_);
    }

private:
    static wire::Hello hello(const wire::NetworkId& network) {
        wire::Hello hello;
        hello.network = network;
        hello.role = wire::Role::user;
        hello.software = std::string("planetserve ") + version;
        return hello;
    }

    void finish(Result<committee::Founding> result) {
        if (result_) return;
        result_ = std::move(result);
        context_.stop();
    }

    void on_link_up(const NodeId&, const wire::Hello&) override {}
    void on_link_down(const NodeId&, const Error& why) override { finish(std::unexpected(why)); }
    void on_frame(const NodeId&, wire::FrameType type, MutableByteView payload) override {
        if (type == wire::FrameType::call_response) finish(committee::read_founding(payload, network_));
    }
    void on_drained(const NodeId&) override {}

    boost::asio::io_context context_{1};
    crypto::SystemRandom random_;
    SystemClock clock_;
    wire::NetworkId network_;
    committee::Invite::Contact contact_;
    crypto::Identity identity_;
    std::optional<Result<committee::Founding>> result_;
    adapters::LinkManager links_;
};

}  // namespace

Result<committee::Genesis> fetch_genesis(const committee::Invite& invite) {
    std::string why;
    bool clocks_differ = false;
    for (const auto& contact : invite.contacts) {
        auto founding = Fetch(invite.network, contact).run();
        const Status usable = founding ? committee::check_clock(*founding, SystemClock().unix_now())
                                       : Status(std::unexpected(founding.error()));
        if (usable) return std::move(founding->genesis);
        clocks_differ = clocks_differ || founding.has_value();
        why += (why.empty() ? "" : "; ") + contact.address.to_string() + ": " + usable.error().message;
    }
    return fail(ErrorCode::unavailable, "none of the nodes that the invite names let this one in: " + why +
                                            (clocks_differ ? "; see whether this machine's clock is right" : ""));
}

}  // namespace planetserve::roles
