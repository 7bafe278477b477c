// Decodes what vLLM publishes about its KV cache: a KVEventBatch (vllm/distributed/kv_events.py) in msgspec's
// MessagePack.
//
// A batch is [ts, events, data_parallel_rank], or a map with those names. An event is a list of its name and its fields
// in order (until mid-2026), or a map with its name under "type" (since then). Required fields come first in a list;
// the others may be missing, and unknown ones may follow. A map needs block_hashes and may have unknown fields. Hashes
// of blocks are integers or bytes. The decoder skips events with unknown names.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "routing/cache_events.h"

namespace planetserve::kvevents {

inline constexpr std::size_t kv_batch_limit = 8 << 20;      // bytes
inline constexpr std::size_t kv_batch_event_limit = 65536;  // events

struct KvEventBatch {
    std::vector<routing::CacheEvent> events;
    std::size_t unknown = 0;  // events with unknown names, which were skipped
};

// Errors: malformed if this is no batch, or if an event with a known name lacks a required field; exhausted if it
// exceeds a limit. Allocates at most some ten times the payload.
Result<KvEventBatch> decode_kv_events(ByteView payload);

}  // namespace planetserve::kvevents
