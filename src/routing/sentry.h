// Finds out how long the common system prompts are, from the prompts that enter at this node
// (docs/protocols/routing.md, "Sentry").
//
// The sentry keeps no prompt, only keyed hashes of prefixes. It keeps those of the last few hundred prompts at some 30
// lengths (the grid), which tell how much of a new prompt an earlier one shared. Where prompts that share a prefix
// diverge there is a branch. It keeps one of them as reference, hashed every few bytes up to the next length of the
// grid, and compares each later prompt with it. A length at which enough prompts leave the reference, each in its own
// way, is the end of a common part.
//
// Pure; not thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "crypto/prefix_hash.h"

namespace planetserve::routing {

struct SentryParameters {
    // How many earlier prompts a new one is compared with.
    std::uint32_t remembered = 512;
    // A departure counts for this many prompts.
    std::uint32_t horizon = 1024;
    // An end is found when this share of the horizon (of all prompts, while there are fewer) leaves there, but at least
    // `fewest`. It is dropped when less than a third of that leaves there.
    double support = 0.01;
    std::uint32_t fewest = 6;
    // Precision of an end, in bytes: it is too early by at most this.
    std::uint32_t resolution = 8;
    // Prompts that agree for this many bytes after an end count as one. Ends closer than this count as one.
    std::uint32_t separator = 32;
    // How many ends are reported: the best supported.
    std::size_t maximum_parts = 32;
    // How many branches are kept; the least supported makes room.
    std::size_t maximum_branches = 96;
    // How many bytes of a prompt are looked at.
    std::uint32_t longest = 32 * 1024;
};

class Sentry {
public:
    // Hashes under the group's key.
    explicit Sentry(ByteView group_key, SentryParameters parameters = {});

    // Learns from a prompt's canonical serialisation. Call it once a request. Returns the prompt's common length as
    // known before this call.
    std::uint32_t observe(ByteView prompt);
    // How many bytes of this prompt are a common part, or 0.
    std::uint32_t common_length(ByteView prompt);
    // Where common parts end, ascending, at least a separator apart.
    std::vector<std::uint32_t> common_lengths() const;

    std::uint64_t observed() const { return observed_; }
    std::size_t memory() const;

private:
    // A prompt left the reference at this length.
    struct Departure {
        std::uint64_t number = 0;  // of the prompt
        std::uint32_t length = 0;
        std::uint32_t continuation = 0;  // the prompt's hash up to a separator further on
    };
    struct End {
        std::uint32_t length = 0;
        std::uint64_t hash = 0;  // with boundaries at the grid's lengths up to the branch, and at `length`
    };
    // Where prompts with one prefix diverge, between two adjacent lengths of the grid.
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
    // The hashes of the current prompt, at the lengths of the grid that it reaches.
    std::vector<std::uint64_t> hashes_;
    // For each length of the grid, the hashes of the remembered prompts; 0 for a shorter prompt. Overwrites the oldest.
    std::vector<std::vector<std::uint32_t>> columns_;
    std::vector<Branch> branches_;
    std::uint64_t observed_ = 0;
    std::vector<std::uint32_t> fine_ends_;
    std::vector<std::uint64_t> fine_hashes_;
};

}  // namespace planetserve::routing
