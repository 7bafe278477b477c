// What llama-server (llama.cpp 0.5.0) answered, in each API; with its names of models and ids shortened.
#pragma once

#include <string_view>

namespace planetserve::inference::samples {

// "Sure.", and a call of a tool; 226 tokens, of which 215 were cached.
inline constexpr std::string_view chat_whole =
    R"reply({"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant","content":"Sure.\n","tool_calls":[{"type":"function","function":{"name":"weather","arguments":"{\"city\": \"Oslo\"}"},"id":"1"}]}}],"created":1795618442,"model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion","usage":{"completion_tokens":1,"prompt_tokens":226,"total_tokens":227,"prompt_tokens_details":{"cached_tokens":215}},"id":"chatcmpl-1","timings":{"cache_n":215,"prompt_n":11,"prompt_ms":620.232,"prompt_per_token_ms":56.38472727272727,"prompt_per_second":17.735299049387972,"predicted_n":1,"predicted_ms":0.001,"predicted_per_token_ms":0.0,"predicted_per_second":0.0}})reply";

// With "stream_options".
inline constexpr std::string_view chat_usage_events =
    R"reply(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795617862,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hi"}}],"created":1795617862,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"."}}],"created":1795617862,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"created":1795617862,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795617862,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk","usage":{"completion_tokens":3,"prompt_tokens":18,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":17}},"timings":{"cache_n":17,"prompt_n":1,"prompt_ms":74.184,"prompt_per_token_ms":74.184,"prompt_per_second":13.47999568640138,"predicted_n":3,"predicted_ms":423.939,"predicted_per_token_ms":211.9695,"predicted_per_second":4.71765985200701}}

data: [DONE]

)reply";

inline constexpr std::string_view chat_events =
    R"reply(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795618443,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Sure.\n"}}],"created":1795618443,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"weather","arguments":"{\"city\": \"Oslo\"}"}}]}}],"created":1795618443,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795618443,"id":"chatcmpl-1","model":"smollm2","system_fingerprint":"b1-de3ff81","object":"chat.completion.chunk","timings":{"cache_n":225,"prompt_n":1,"prompt_ms":84.661,"prompt_per_token_ms":84.661,"prompt_per_second":11.811814176539375,"predicted_n":1,"predicted_ms":0.001,"predicted_per_token_ms":0.0,"predicted_per_second":0.0}}

data: [DONE]

)reply";

inline constexpr std::string_view completion_whole =
    R"reply({"choices":[{"text":"\nto the","index":0,"logprobs":null,"finish_reason":"length"}],"created":1795617873,"model":"smollm2","system_fingerprint":"b1-de3ff81","object":"text_completion","usage":{"completion_tokens":3,"prompt_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-1","timings":{"cache_n":0,"prompt_n":2,"prompt_ms":2356.353,"prompt_per_token_ms":1178.1765,"prompt_per_second":0.8487692633489125,"predicted_n":3,"predicted_ms":7959.745,"predicted_per_token_ms":3979.8725,"predicted_per_second":0.2512643307040615}})reply";

inline constexpr std::string_view completion_events =
    R"reply(data: {"choices":[{"text":"\n","index":0,"logprobs":null,"finish_reason":null}],"created":1795617873,"model":"smollm2","system_fingerprint":"b1-de3ff81","object":"text_completion","id":"chatcmpl-1"}

data: {"choices":[{"text":"to","index":0,"logprobs":null,"finish_reason":null}],"created":1795617874,"model":"smollm2","system_fingerprint":"b1-de3ff81","object":"text_completion","id":"chatcmpl-1"}

data: {"choices":[{"text":" the","index":0,"logprobs":null,"finish_reason":null}],"created":1795617874,"model":"smollm2","system_fingerprint":"b1-de3ff81","object":"text_completion","id":"chatcmpl-1"}

data: {"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"length"}],"created":1795617874,"model":"smollm2","system_fingerprint":"b1-de3ff81","object":"text_completion","usage":{"completion_tokens":3,"prompt_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1}},"id":"chatcmpl-1","timings":{"cache_n":1,"prompt_n":1,"prompt_ms":567.649,"prompt_per_token_ms":567.649,"prompt_per_second":1.7616520067858836,"predicted_n":3,"predicted_ms":292.0,"predicted_per_token_ms":146.0,"predicted_per_second":6.8493150684931505}}

data: [DONE]

)reply";

inline constexpr std::string_view response_whole =
    R"reply({"completed_at":1795618443,"created_at":1795618443,"id":"resp_1","model":"smollm2","object":"response","output":[{"content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Sure.\n"}],"id":"msg_1","role":"assistant","status":"completed","type":"message"},{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"city\": \"Oslo\"}","call_id":"call_1","name":"weather"}],"status":"completed","usage":{"input_tokens":226,"output_tokens":1,"total_tokens":227,"input_tokens_details":{"cached_tokens":225}}})reply";

inline constexpr std::string_view response_events = R"reply(event: response.created
data: {"type":"response.created","response":{"id":"resp_1","object":"response","status":"in_progress"}}

event: response.in_progress
data: {"type":"response.in_progress","response":{"id":"resp_1","object":"response","status":"in_progress"}}

event: response.output_item.added
data: {"type":"response.output_item.added","item":{"content":[],"id":"msg_1","role":"assistant","status":"in_progress","type":"message"}}

event: response.content_part.added
data: {"type":"response.content_part.added","item_id":"msg_1","part":{"type":"output_text","text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"msg_1","delta":"Sure.\n"}

event: response.output_item.added
data: {"type":"response.output_item.added","item":{"id":"fc_1","arguments":"","call_id":"call_1","name":"weather","type":"function_call","status":"in_progress"}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","delta":"{\"city\": \"Oslo\"}","item_id":"fc_1"}

event: response.output_text.done
data: {"type":"response.output_text.done","item_id":"msg_1","text":"Sure.\n"}

event: response.content_part.done
data: {"type":"response.content_part.done","item_id":"msg_1","part":{"type":"output_text","annotations":[],"logprobs":[],"text":"Sure.\n"}}

event: response.output_item.done
data: {"type":"response.output_item.done","item":{"type":"message","status":"completed","id":"msg_1","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Sure.\n"}],"role":"assistant"}}

event: response.output_item.done
data: {"type":"response.output_item.done","item":{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"city\": \"Oslo\"}","call_id":"call_1","name":"weather"}}

event: response.completed
data: {"type":"response.completed","response":{"id":"resp_1","object":"response","created_at":1795618443,"status":"completed","model":"smollm2","output":[{"type":"message","status":"completed","id":"msg_1","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Sure.\n"}],"role":"assistant"},{"id":"fc_1","type":"function_call","status":"completed","arguments":"{\"city\": \"Oslo\"}","call_id":"call_1","name":"weather"}],"usage":{"input_tokens":226,"output_tokens":1,"total_tokens":227,"input_tokens_details":{"cached_tokens":225}}},"timings":{"cache_n":225,"prompt_n":1,"prompt_ms":87.025,"prompt_per_token_ms":87.025,"prompt_per_second":11.490950876185003,"predicted_n":1,"predicted_ms":0.001,"predicted_per_token_ms":0.0,"predicted_per_second":0.0}}

)reply";

inline constexpr std::string_view message_whole =
    R"reply({"id":"chatcmpl-1","type":"message","role":"assistant","content":[{"type":"text","text":"Sure.\n"},{"type":"tool_use","id":"1","name":"weather","input":{"city":"Oslo"}}],"model":"smollm2","stop_reason":"max_tokens","stop_sequence":null,"usage":{"cache_read_input_tokens":225,"input_tokens":1,"output_tokens":1}})reply";

inline constexpr std::string_view message_events = R"reply(event: message_start
data: {"type":"message_start","message":{"id":"chatcmpl-1","type":"message","role":"assistant","content":[],"model":"smollm2","stop_reason":null,"stop_sequence":null,"usage":{"cache_read_input_tokens":225,"input_tokens":1,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Sure.\n"}}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"1","name":"weather"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Oslo\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},"usage":{"output_tokens":1}}

event: message_stop
data: {"type":"message_stop"}

)reply";

}  // namespace planetserve::inference::samples
