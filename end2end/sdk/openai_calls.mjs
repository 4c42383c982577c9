// Plain and streamed calls with the official OpenAI SDK for Node, and its own errors for a wrong and a spent key.
import OpenAI from 'openai';

const ask = { model: 'test-model', messages: [{ role: 'user', content: 'hi' }] };

export async function openaiCalls(baseUrl, key, spent) {
  const client = (apiKey) => new OpenAI({ baseURL: `${baseUrl}/v1`, apiKey, maxRetries: 0 });
  const errorOf = (apiKey) =>
    client(apiKey).chat.completions.create(ask).then(
      () => null,
      (error) => ({ type: error.constructor.name, status: error.status, code: error.code, message: error.message }),
    );
  const good = client(key);
  const streamed = [];
  for await (const chunk of await good.chat.completions.create({ ...ask, stream: true })) {
    const text = chunk.choices[0]?.delta?.content;
    if (text) streamed.push(text);
  }
  const models = [];
  for await (const model of good.models.list()) models.push(model.id);
  const plain = (await good.chat.completions.create(ask)).choices[0].message.content;
  return { models, plain, streamed, wrong: await errorOf('rondo-wrong'), spent: await errorOf(spent) };
}
