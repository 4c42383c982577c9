// Plain and streamed calls with the official Anthropic SDK for Node, and its own errors for a wrong and a spent key.
import Anthropic from '@anthropic-ai/sdk';

const ask = { model: 'test-model', max_tokens: 64, messages: [{ role: 'user', content: 'hi' }] };

export async function anthropicCalls(baseURL, key, spent) {
  const client = (apiKey) => new Anthropic({ baseURL, apiKey, maxRetries: 0 });
  const errorOf = (apiKey) =>
    client(apiKey).messages.create(ask).then(
      () => null,
      (error) => ({ type: error.constructor.name, status: error.status, body: error.error, message: error.message }),
    );
  const good = client(key);
  const streamed = [];
  for await (const event of await good.messages.create({ ...ask, stream: true })) {
    if (event.type === 'content_block_delta') streamed.push(event.delta.text);
  }
  const plain = (await good.messages.create(ask)).content[0].text;
  return { plain, streamed, wrong: await errorOf('rondo-wrong'), spent: await errorOf(spent) };
}
