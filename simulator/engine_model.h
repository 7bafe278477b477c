// An inference engine in virtual time, for experiments on routing: how long prompts and answers take, and which
// prefixes its KV cache holds. It computes nothing.
//
// The model is vLLM's scheduler in outline. Work goes in steps. In a step each request whose prompt is done gets one
// token, and what is left of step_tokens goes to prompts, in the order of their admission (chunked prefill). It lasts
//
//     (1 + batch_cost * (decoding - 1)) / decode_tokens_per_second    where any request decodes
//     + prompt tokens of the step / prefill_tokens_per_second
//
// A request is admitted, first come first served, when fewer than maximum_running run and its blocks fit. The part of
// its prompt that the cache holds at that moment is not computed again, except the last token. A block of the prompt or
// the answer can be matched from the end of the step in which it became full.
//
// Assumptions that matter:
// - Prefill costs the same at every position: attention's growth with the prompt's length is left out.
// - Prompt and decode work of one step add up; engines overlap some of it.
// - A request's blocks, those of its answer too, are set aside at its admission, so none is ever preempted. Real
// engines
//   do not know the answer's length and preempt instead.
// - Tokens are not lost or speculated, and each answer has the length that the workload says.
// The presets' rates are assumptions too, within published figures for such machines; smollm2_core() is measured.
#pragma once

#include <deque>
#include <memory>

#include "base/result.h"
#include "simulator/block_cache.h"
#include "simulator/event_queue.h"

namespace planetserve::simulator {

struct EngineParameters {
    double prefill_tokens_per_second = 5000;
    // Of a request that runs alone.
    double decode_tokens_per_second = 60;
    // One more decoding request adds this share of a single request's step to the step's time.
    double batch_cost = 0.02;
    std::size_t maximum_running = 32;
    std::size_t step_tokens = 1024;
    std::size_t block_tokens = 16;
    std::size_t cache_tokens = 98'304;

    // A model of 8 billion parameters in 8 bits on a 24 GB card: about 12 GB are left for the KV cache, at 128 KiB a
    // token.
    static EngineParameters gpu_24gb() { return {}; }
    // The same model in 16 bits on an 80 GB card: about 56 GB for the KV cache.
    static EngineParameters gpu_80gb() {
        return {.prefill_tokens_per_second = 12'000,
                .decode_tokens_per_second = 90,
                .batch_cost = 0.015,
                .maximum_running = 64,
                .step_tokens = 2048,
                .cache_tokens = 458'752};
    }
    // SmolLM2-135M in 8 bits under llama-server with four slots on one processor core, where a batch computes almost as
    // long as its requests one by one.
    static EngineParameters smollm2_core() {
        return {.prefill_tokens_per_second = 600,
                .decode_tokens_per_second = 145,
                .batch_cost = 0.6,
                .maximum_running = 4,
                .step_tokens = 512,
                .cache_tokens = 32'768};
    }
};

struct EngineRequest {
    std::uint64_t number = 0;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t output_tokens = 1;
    // Of the prompt and the answer after it: block_ids() with block_tokens' bytes.
    std::vector<BlockId> blocks;
};

// As engines report them with an answer.
struct EngineUsage {
    std::uint32_t prompt_tokens = 0;
    std::uint32_t cached_tokens = 0;
};

class EngineOutput {
public:
    virtual ~EngineOutput() = default;
    virtual void on_first_token(std::uint64_t number, const EngineUsage& usage) = 0;
    virtual void on_finished(std::uint64_t number, const EngineUsage& usage) = 0;
};

class EngineModel {
public:
    // The queue and the output outlive the engine. The engine outlives the events that it scheduled.
    EngineModel(EventQueue& events, EngineParameters parameters, EngineOutput& output);

    // Refused when it would never fit the cache.
    Status submit(EngineRequest request);
    // How many of a prompt's tokens would not be computed if it were admitted now.
    std::uint32_t cached_tokens(std::span<const BlockId> blocks, std::uint32_t prompt_tokens) const;

    std::size_t running() const { return running_.size(); }
    std::size_t waiting() const { return waiting_.size(); }
    std::size_t queued() const { return running() + waiting(); }
    // Prompt tokens not computed yet, as of the last step: of requests that run, and all of those that wait.
    std::uint64_t queued_tokens() const;
    const BlockCache& cache() const { return cache_; }
    const EngineParameters& parameters() const { return parameters_; }
    // The time that it computed.
    Duration busy() const { return busy_; }
    std::uint64_t computed_prompt_tokens() const { return computed_prompt_tokens_; }

private:
    struct Sequence {
        EngineRequest request;
        EngineUsage usage;
        std::uint32_t computed = 0;  // of the prompt, the cached part included
        std::uint32_t produced = 0;
        std::uint32_t step = 0;  // prompt tokens of the step that runs
        std::size_t full = 0;    // blocks that are computed
        std::vector<BlockId> pinned;
        std::size_t own = 0;
    };

    std::size_t blocks_for(std::uint64_t tokens) const {
        return static_cast<std::size_t>((tokens + parameters_.block_tokens - 1) / parameters_.block_tokens);
    }
    void admit();
    void begin_step();
    void end_step();
    void publish(Sequence& sequence);

    EventQueue& events_;
    EngineParameters parameters_;
    EngineOutput& output_;
    BlockCache cache_;
    std::deque<EngineRequest> waiting_;
    std::vector<std::unique_ptr<Sequence>> running_;
    bool stepping_ = false;
    Duration busy_{};
    std::uint64_t computed_prompt_tokens_ = 0;
};

}  // namespace planetserve::simulator
