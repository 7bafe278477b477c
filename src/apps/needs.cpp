#include "apps/needs.h"

#include <algorithm>
#include <iostream>

#include "config/model_config.h"
#include "config/verifier_config.h"
#include "roles/genesis_file.h"

namespace planetserve::apps {

namespace {

using Words = std::vector<std::string>;

bool names_committee(const std::filesystem::path& file) {
    auto genesis = roles::read_genesis(file);
    return genesis && genesis->is_committee();
}

void add_model_needs(const std::vector<config::ServedModelConfig>& models, Words& words) {
    const bool engine = std::ranges::any_of(models, [](const auto& model) { return !model.upstream; });
    const bool catalogue = std::ranges::any_of(models, [](const auto& model) { return model.catalogue.has_value(); });
    if (engine) words.emplace_back("engine");
    if (catalogue) words.emplace_back("models");
}

Words needs_of_up(const local::LaunchOptions& options) {
    Words words{"program", "engine", "models"};
    const bool committee =
        options.verifiers ? *options.verifiers > 1 : names_committee(local::NetworkHome(options.home).genesis());
    if (committee) words.emplace_back("cometbft");
    return words;
}

Words needs_of_join(const local::JoinOptions& options) {
    std::string model = options.serve.value_or("");
    if (auto network = local::NetworkHome(options.home).load(); !options.serve && network && network->joined_as)
        model = network->joined_as->serve;
    return model.empty() ? Words{"program"} : Words{"program", "engine", "models"};
}

Words needs_of_model(const std::filesystem::path& file) {
    Words words{"program"};
    if (auto config = config::load_model_config(file)) add_model_needs(config->models, words);
    return words;
}

Words needs_of_verifier(const std::filesystem::path& file) {
    Words words{"program"};
    auto config = config::load_verifier_config(file);
    if (!config) return words;
    add_model_needs(config->models, words);
    if (names_committee(config->common.genesis)) words.emplace_back("cometbft");
    return words;
}

}  // namespace

std::vector<std::string> needs_of(const Invocation& invocation) {
    switch (invocation.verb) {
        case Verb::up:
            return needs_of_up(invocation.up);
        case Verb::join:
            return needs_of_join(invocation.join);
        case Verb::user:
            return {"program"};
        case Verb::model:
            return needs_of_model(invocation.config);
        case Verb::verifier:
            return needs_of_verifier(invocation.config);
        default:
            return {};
    }
}

int needs(const std::vector<std::string>& arguments) {
    CommandLine line;
    try {
        for (const std::string& word : needs_of(line.parse(arguments))) std::cout << word << "\n";
    } catch (const CLI::ParseError&) {
        return 0;  // the command itself explains, or shows its help
    }
    return 0;
}

}  // namespace planetserve::apps
