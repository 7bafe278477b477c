#include "simulator/fault_script.h"

#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <sstream>

namespace planetserve::simulator {

namespace {

constexpr std::size_t maximum_nodes_a_fault = 1'000'000;

template <typename Number>
std::optional<Number> number(std::string_view text) {
    Number value{};
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<Duration> duration(std::string_view text) {
    for (auto [unit, length] : {std::pair<std::string_view, Duration>{"ms", 1ms}, {"min", 1min}, {"s", 1s}}) {
        if (!text.ends_with(unit)) continue;
        auto count = number<double>(text.substr(0, text.size() - unit.size()));
        if (!count || !(*count >= 0) || *count > 1e9) return std::nullopt;
        return std::chrono::round<Duration>(std::chrono::duration<double>(*count * to_seconds(length)));
    }
    return std::nullopt;
}

std::optional<std::vector<std::size_t>> node_numbers(const std::string& text) {
    std::vector<std::size_t> nodes;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        auto dash = part.find('-');
        auto first = number<std::size_t>(std::string_view(part).substr(0, dash));
        auto last = dash == std::string::npos ? first : number<std::size_t>(std::string_view(part).substr(dash + 1));
        if (!first || !last || *last < *first || *last - *first + nodes.size() >= maximum_nodes_a_fault)
            return std::nullopt;
        for (std::size_t node = *first; node <= *last; ++node) nodes.push_back(node);
    }
    if (nodes.empty()) return std::nullopt;
    return nodes;
}

std::optional<Fault::Kind> kind_of(std::string_view verb) {
    using enum Fault::Kind;
    for (auto [name, kind] : {std::pair<std::string_view, Fault::Kind>{"crash", crash},
                              {"vanish", vanish},
                              {"separate", separate},
                              {"slow", slow},
                              {"corrupt", corrupt},
                              {"drop", drop}})
        if (name == verb) return kind;
    return std::nullopt;
}

// An error that says what is wrong.
Result<Fault> parse_line(const std::string& line) {
    auto wrong = [](const std::string& what) { return fail(ErrorCode::malformed, what); };
    std::istringstream words(line);
    std::string at, verb, nodes, word, value;
    words >> at >> verb >> nodes;
    Fault fault;
    auto time = duration(at);
    if (!time) return wrong("'" + at + "' is not a time such as 10s");
    auto kind = kind_of(verb);
    if (!kind) return wrong("'" + verb + "' is none of crash, vanish, separate, slow, corrupt, drop");
    auto numbers = node_numbers(nodes);
    if (!numbers) return wrong("'" + nodes + "' are not nodes such as 3,5-7");
    fault.at = *time;
    fault.kind = *kind;
    fault.nodes = std::move(*numbers);
    fault.text = verb + " " + nodes;
    const bool lasting = *kind != Fault::Kind::crash && *kind != Fault::Kind::vanish;
    const bool counted = *kind == Fault::Kind::corrupt || *kind == Fault::Kind::drop;
    while (words >> word >> value) {
        auto length = duration(value);
        auto every = number<std::uint32_t>(value);
        if (word == "for" && lasting && length && *length > Duration{})
            fault.lasts = *length;
        else if (word == "by" && *kind == Fault::Kind::slow && length)
            fault.by = *length;
        else if (word == "every" && counted && every && *every > 0)
            fault.every = *every;
        else
            return wrong("'" + word + " " + value + "' does not go with " + verb);
        fault.text += " " + word + " " + value;
        word.clear();
    }
    if (!word.empty()) return wrong("'" + word + "' stands alone");
    if (*kind == Fault::Kind::slow && fault.by == Duration{}) return wrong("slow needs 'by' and a time");
    if (counted && fault.every == 0) return wrong(verb + " needs 'every' and a number");
    return fault;
}

void begin(const Fault& fault, const std::vector<NodeId>& nodes, std::uint32_t group, Network& network) {
    if (fault.kind == Fault::Kind::separate) return network.separate(nodes, group);
    for (const NodeId& node : nodes) {
        switch (fault.kind) {
            case Fault::Kind::crash:
                network.kill(node);
                break;
            case Fault::Kind::vanish:
                network.vanish(node);
                break;
            case Fault::Kind::slow:
                network.slow(node, fault.by);
                break;
            case Fault::Kind::corrupt:
                network.corrupt(node, fault.every);
                break;
            case Fault::Kind::drop:
                network.drop(node, fault.every);
                break;
            case Fault::Kind::separate:
                break;
        }
    }
}

void end(const Fault& fault, const std::vector<NodeId>& nodes, Network& network) {
    Fault nothing = fault;
    nothing.by = {};
    nothing.every = 0;
    begin(nothing, nodes, 0, network);
}

}  // namespace

Result<std::vector<Fault>> parse_faults(std::string_view script) {
    std::vector<Fault> faults;
    std::istringstream lines{std::string(script)};
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        line = line.substr(0, line.find('#'));
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        auto fault = parse_line(line);
        if (!fault) return fail(ErrorCode::malformed, "line " + std::to_string(number) + ": " + fault.error().message);
        faults.push_back(std::move(*fault));
    }
    return faults;
}

Status schedule_faults(const std::vector<Fault>& faults, const std::vector<NodeId>& nodes, EventQueue& events,
                       Network& network, Trace* trace) {
    struct Planned {
        Fault fault;
        std::vector<NodeId> nodes;
    };
    std::vector<std::shared_ptr<const Planned>> all;
    for (const Fault& fault : faults) {
        Planned planned{fault, {}};
        for (std::size_t node : fault.nodes) {
            if (node >= nodes.size())
                return fail(ErrorCode::invalid_argument,
                            "'" + fault.text + "': there are " + std::to_string(nodes.size()) + " nodes, from 0");
            planned.nodes.push_back(nodes[node]);
        }
        all.push_back(std::make_shared<const Planned>(std::move(planned)));
    }
    std::uint32_t group = 0;
    for (const auto& planned : all) {
        ++group;
        events.after(planned->fault.at, [planned, group, &events, &network, trace] {
            if (trace != nullptr) trace->fault(events.now(), planned->fault.text);
            begin(planned->fault, planned->nodes, group, network);
        });
        if (planned->fault.lasts == Duration{}) continue;
        events.after(planned->fault.at + planned->fault.lasts, [planned, &events, &network, trace] {
            if (trace != nullptr) trace->fault(events.now(), "end of " + planned->fault.text);
            end(planned->fault, planned->nodes, network);
        });
    }
    return {};
}

}  // namespace planetserve::simulator
