// For tests: the whole overlay in one process and virtual time, the user nodes' and model nodes' own code on a virtual
// network.
#pragma once

#include <gtest/gtest.h>

#include "node/model_node.h"
#include "node/user_node.h"
#include "simulator/node_host.h"
#include "simulator/token_engine.h"

namespace planetserve::node {

using simulator::EventQueue;
using simulator::Frame;
using simulator::Network;
using simulator::TokenEngine;

inline crypto::NodeKeys make_keys(Random& random) {
    return {crypto::Identity::generate(random), crypto::AgreementKey::generate(random)};
}

struct UserHost final : simulator::NodeHost<UserNode> {
    UserHost(EventQueue& clock, Network& network, Random& random, UserNodeOptions options)
        : UserHost(make_keys(random), clock, network, random, options) {}
    UserHost(const crypto::NodeKeys& own, EventQueue& clock, Network& network, Random& random, UserNodeOptions options)
        : NodeHost(network, own.identity.id(), own, options, network.sender(own.identity.id()), random, clock),
          keys(own) {}

    crypto::NodeKeys keys;
};

// Before the node, which holds it.
struct HasEngine {
    TokenEngine engine;
};

struct ModelHost final : HasEngine, simulator::NodeHost<ModelNode> {
    ModelHost(EventQueue& clock, Network& network, Random& random, simulator::TokenEngineOptions options)
        : ModelHost(make_keys(random), clock, network, random, options) {}
    ModelHost(const crypto::NodeKeys& own, EventQueue& clock, Network& network, Random& random,
              simulator::TokenEngineOptions options)
        : HasEngine{{clock, options}},
          NodeHost(network, own.identity.id(), own, ModelNodeOptions{.stats = [this] { return stats(); }},
                   network.sender(own.identity.id()), engine, random, clock),
          keys(own) {
        engine.after_progress = [&network, this] { network.rearm(id); };
    }
    inference::RouterStats stats() const {
        inference::LoadStats load;
        load.running = engine.running();
        return {{{"m", load}}, load};
    }

    crypto::NodeKeys keys;
};

struct Reply final : inference::ReplySink {
    void on_head(const inference::ReplyHead& got) override { head = got; }
    void on_body(ByteView bytes) override { text += to_string(bytes); }
    void on_end() override { ended = true; }
    void on_error(const Error& got) override { error = got; }
    bool over() const { return ended || error; }

    std::optional<inference::ReplyHead> head;
    std::string text;
    bool ended = false;
    std::optional<Error> error;
    std::unique_ptr<inference::Exchange> exchange;
};

class Overlay : public testing::Test {
protected:
    static constexpr Duration delay = 10ms;

    void make(std::size_t users, std::size_t models, simulator::TokenEngineOptions engine = {}) {
        for (std::size_t i = 0; i < users; ++i)
            users_.push_back(std::make_unique<UserHost>(clock_, network_, random_, UserNodeOptions{}));
        for (std::size_t i = 0; i < models; ++i)
            models_.push_back(std::make_unique<ModelHost>(clock_, network_, random_, engine));
        DirectoryView view;
        std::vector<onion::RelayInfo> relays;
        for (auto& user : users_) relays.push_back({user->id, user->keys.onion.public_key()});
        view.relays = std::move(relays);
        for (auto& model : models_) view.models.push_back({model->id, model->keys.onion.public_key(), {"m"}, 4, 0, 0});
        for (auto& user : users_) {
            user->node.requests().update_directory(view);
            network_.rearm(user->id);
        }
        clock_.run_for(1s);
    }
    UserHost& user() { return *users_.front(); }
    std::vector<onion::PathStatus> paths() { return user().node.requests().pool().status(); }

    Reply& ask(const std::string& body, const std::string& model = "m", const std::string& path = "/v1/completions") {
        return ask(request_for(body, model, path));
    }
    inference::Request request_for(const std::string& body, const std::string& model = "m",
                                   const std::string& path = "/v1/completions") {
        return {random_.id<IdempotencyId>(), "POST", path, "text/plain", model, to_bytes(body)};
    }
    Reply& ask(inference::Request request) {
        auto& reply = replies_.emplace_back(std::make_unique<Reply>());
        auto started = user().node.requests().start(std::move(request), *reply);
        if (started)
            reply->exchange = std::move(*started);
        else
            reply->error = started.error();
        network_.rearm(user().id);
        return *reply;
    }
    void hang_up(Reply& reply) {
        reply.exchange.reset();
        network_.rearm(user().id);
    }
    bool finish(Reply& reply, Duration at_most = 60s) {
        return clock_.run_until_true([&] { return reply.over(); }, at_most);
    }
    ModelHost& serving(const Reply& reply) {
        for (const auto& [name, value] : reply.head->headers)
            for (auto& model : models_)
                if (name == "x-planetserve-model-node" && model->id.hex() == value) return *model;
        throw std::logic_error("the reply names no model node");
    }
    std::size_t started() const {
        std::size_t count = 0;
        for (auto& model : models_) count += model->engine.started();
        return count;
    }

    SeededRandom random_{11};
    EventQueue clock_;
    Network network_{clock_, [](const NodeId&, const NodeId&) { return delay; }};
    std::vector<std::unique_ptr<UserHost>> users_;
    std::vector<std::unique_ptr<ModelHost>> models_;
    std::vector<std::unique_ptr<Reply>> replies_;
};

inline const std::string prompt = "What is the capital of a country that nobody must know I asked about?";

}  // namespace planetserve::node
