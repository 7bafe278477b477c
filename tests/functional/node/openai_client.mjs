import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';

const client = new OpenAI({timeout: 120_000});
const model = 'smollm2-135m-instruct';
const messages = [{role: 'user', content: 'Say hello.'}];

test('a completion with usage', async () => {
  const reply = await client.chat.completions.create({model, messages, max_tokens: 12});
  assert.ok(reply.choices[0].message.content);
  assert.ok(reply.usage.completion_tokens > 0);
});

test('a stream is the same text, with usage at its end', async () => {
  const request = {model, messages, max_tokens: 16, seed: 4, temperature: 0};
  const whole = await client.chat.completions.create(request);
  let text = '', usage = null;
  for await (const chunk of await client.chat.completions.create({...request, stream: true, stream_options: {include_usage: true}})) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.ok(usage.completion_tokens > 0);
});

test('responses', async () => {
  const reply = await client.responses.create({model, input: 'Say hello.', max_output_tokens: 12});
  assert.ok(reply.output_text);
});

test('an unknown model', async () => {
  await assert.rejects(client.chat.completions.create({model: 'nothing', messages}), OpenAI.NotFoundError);
});

test('hanging up', async () => {
  const stream = await client.chat.completions.create({model, messages, stream: true, max_tokens: 500});
  for await (const chunk of stream) {
    assert.ok(chunk);
    break;
  }
});
