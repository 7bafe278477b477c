// Finds how long the common system prompts are, from the prompts that pass by (docs/protocols/routing.md, "Sentry").
//
// Keeps no prompt: only keyed hashes of prefixes at a few dozen probe lengths, each length with a bounded table of
// counts (space-saving: Metwally et al., 2005). Where many prompts share a prefix at one probe and go apart before the
// next, a common part ends in between; the next window of prompts is probed there more finely, until the place is known
// to a few bytes. Which hash belongs to which prompt nobody can tell without the key, and a window's counts go with the
// window.
//
// Pure; not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "routing/chunking.h"

namespace planetserve::routing {

struct SentryParameters {
    // Prompts that are counted before the next look.
    std::uint32_t window = 512;
    // A part is common when this share of a window's prompts have it and go apart at its end.
    double support = 0.05;
    // How exactly an end is to be known, in bytes; at most half of separator.
    std::uint32_t resolution = 8;
    // delta: the short chunk after a common part, which holds the first difference.
    std::uint32_t separator = 32;
    std::uint32_t tail = 256;
    std::uint32_t maximum_levels = 1024;
    // Common parts that an array can name; the best supported.
    std::size_t maximum_parts = 8;
    // Windows in a row in which a part has to be found before it is proposed, and not be found before it is dropped.
    std::uint32_t windows_to_confirm = 2;
    std::uint32_t windows_to_drop = 8;
    // Prompts are looked at up to here.
    std::uint32_t longest = 32 * 1024;
};

class Sentry {
public:
    // The key is the group's.
    Sentry(ByteView group_key, SentryParameters parameters = {});

    // A prompt's canonical serialisation.
    void observe(ByteView prompt);

    // Where confirmed common parts end, ascending.
    std::vector<std::uint32_t> common_lengths() const;
    // An array for them, of the version after the current one's; nothing while the current one serves.
    std::optional<ChunkLengths> propose(const ChunkLengths& current) const;
    // How many bytes of this prompt are a common part, as seen in the last window; 0 for none.
    std::uint32_t common_length(ByteView prompt);

    std::size_t memory() const;

private:
    static constexpr std::size_t table_size = 64;
    static constexpr std::size_t most_probes = 96;
    struct Count {
        std::uint64_t hash = 0;
        std::uint64_t parent = 0;  // the hash at the probe before
        std::uint32_t count = 0;
        std::uint32_t error = 0;  // of which so many may belong to others
    };
    using Table = std::vector<Count>;
    struct Part {
        std::uint32_t support = 0;
        std::uint32_t found = 0;              // windows in a row
        std::uint32_t missed = 0;             // windows in a row
        Table prefixes{};                     // hashes of the prefix alone, of this window
        std::vector<std::uint64_t> common{};  // those of the last window that had support
        bool confirmed = false;
    };
    struct Interval {
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
        std::uint32_t support = 0;
    };

    static Count& count(Table& table, std::uint64_t hash);
    std::uint64_t prefix_hash(ByteView prompt, std::uint32_t length);
    void end_window();
    std::vector<Interval> find_ends() const;
    void choose_probes(const std::vector<Interval>& open);

    SentryParameters parameters_;
    std::vector<std::uint32_t> grid_;
    crypto::PrefixHash hash_;
    std::vector<std::uint32_t> probes_;
    std::vector<Table> tables_;
    std::vector<std::uint64_t> hashes_;
    std::map<std::uint32_t, Part> parts_;
    std::uint32_t observed_ = 0;
};

}  // namespace planetserve::routing
