// Traces as workloads of the simulator.
#pragma once

#include "eval/workload/trace.h"
#include "simulator/workload.h"

namespace planetserve::eval {

// A request follows the latest earlier one of which it repeats the last whole block, unless that is the first block,
// which may be everybody's. Published times are coarse, so that up to dozens of requests share one: they are spread
// evenly up to the next time. REQUIRES: in the order of their times, as parse_trace's `hash_ids` to their lengths.
simulator::Workload workload_of(const std::vector<TraceRequest>& trace);

// The first so many requests (0: all) of a trace's file, of the default trace when it is empty.
Result<std::vector<TraceRequest>> load_trace(const std::string& file, std::size_t most);

// Whether there is a trace to load: not_found where none is named and this machine has no default one.
Status trace_ready(const std::string& file);

}  // namespace planetserve::eval
