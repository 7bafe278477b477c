// Finds how long the common system prompts are, from the prompts that come in here (docs/protocols/routing.md,
// "Sentry").
//
// Keeps no prompt, only keyed hashes of prefixes: of the last few hundred prompts at some 30 lengths, so that for each
// new one it is known how far it goes along with an earlier one. Where prompts that share a prefix go apart, one is
// kept as reference, hashed every few bytes up to the next of those lengths, and each later one is compared with it. A
// length at which enough prompts leave, each in its own way, is the end of a common part.
//
// Pure; not thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "crypto/prefix_hash.h"

namespace planetserve::routing {

struct SentryParameters {
    // Prompts with which a new one is compared.
    std::uint32_t remembered = 512;
    // Prompts after which one that left a common part no longer speaks for its end.
    std::uint32_t horizon = 1024;
    // An end is found when this share of the horizon (of all prompts, while they are fewer) leave there, and no fewer
    // than `fewest`; it is dropped when less than a third of them do.
    double support = 0.01;
    std::uint32_t fewest = 6;
    // How exactly an end is known, in bytes: it is so much too early at most.
    std::uint32_t resolution = 8;
    // Prompts that agree for so many bytes after an end count as one, and ends this close count as one.
    std::uint32_t separator = 32;
    // Ends that are told; the best supported.
    std::size_t maximum_parts = 32;
    // Prefixes at which prompts are seen to go apart, in all; the least supported makes room.
    std::size_t maximum_branches = 96;
    // Prompts are looked at up to here.
    std::uint32_t longest = 32 * 1024;
};

class Sentry {
public:
    // The key is the group's.
    explicit Sentry(ByteView group_key, SentryParameters parameters = {});

    // A prompt's canonical serialisation; each request once. Returns its common length, as known before.
    std::uint32_t observe(ByteView prompt);
    // How many bytes of this prompt are a common part; 0 for none.
    std::uint32_t common_length(ByteView prompt);
    // Where common parts end, ascending, a separator or more apart.
    std::vector<std::uint32_t> common_lengths() const;

    std::uint64_t observed() const { return observed_; }
    std::size_t memory() const;

private:
    // A prompt left the reference at this length.
    struct Departure {
        std::uint64_t number = 0;  // of the prompt
        std::uint32_t length = 0;
        std::uint32_t continuation = 0;  // hash up to a separator further on
    };
    struct End {
        std::uint32_t length = 0;
        std::uint64_t hash = 0;  // under the lengths of the grid up to the branch, and this one
    };
    // Where prompts with one prefix go apart, between two neighbours of the grid.
    struct Branch {
        std::size_t level = 0;
        std::uint64_t prefix = 0;
        std::vector<std::uint16_t> reference{};
        std::vector<Departure> departures{};
        std::vector<End> ends{};
        std::uint64_t used = 0;
    };

    void hash_on_grid(ByteView prompt);
    std::optional<std::size_t> shared_level() const;
    void remember();
    std::uint32_t common_length_of_hashed(ByteView prompt);
    std::uint64_t end_hash(ByteView prompt, std::size_t level, std::uint32_t length);
    Branch& branch_at(std::size_t level, std::uint64_t prefix);
    void depart(Branch& branch, ByteView prompt);
    void add_departure(Branch& branch, const Departure& departure);
    void look_for_end(Branch& branch, ByteView prompt, std::uint32_t length);
    std::uint32_t departures_in(const Branch& branch, std::uint32_t begin, std::uint32_t end) const;
    std::uint32_t needed() const;
    std::uint32_t support_of(const Branch& branch, const End& end) const;
    bool stands(const Branch& branch, const End& end) const;

    SentryParameters parameters_;
    std::vector<std::uint32_t> grid_;
    crypto::PrefixHash hash_;
    // Of the prompt at work, at those lengths of the grid that it reaches.
    std::vector<std::uint64_t> hashes_;
    // For each length of the grid the hashes of the remembered prompts, oldest overwritten; 0 where one is shorter.
    std::vector<std::vector<std::uint32_t>> columns_;
    std::vector<Branch> branches_;
    std::uint64_t observed_ = 0;
    std::vector<std::uint32_t> fine_ends_;
    std::vector<std::uint64_t> fine_hashes_;
};

}  // namespace planetserve::routing
