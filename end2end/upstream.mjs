// A provider in one process: speaks OpenAI chat completions and Anthropic messages, plain and as SSE, and fails on demand.
import { createServer } from 'node:http';
import { once } from 'node:events';

const WORDS = ['Round', ' and', ' round', ' it', ' goes', '.'];

export class Upstream {
  /** Every request that arrived: { method, url, headers, body }. */
  calls = [];
  /** Answers for the next requests, first in, first out: { status, headers, body } or 'refuse'. */
  script = [];
  /** Answer for every request while it is set. */
  always = null;
  /** While true, a stream sends its first output and then waits for release(). */
  held = false;
  #waiting = [];

  static async start() {
    const upstream = new Upstream();
    upstream.server = createServer((request, response) => upstream.#answer(request, response).catch((error) => response.destroy(error)));
    upstream.server.listen(0, '127.0.0.1');
    await once(upstream.server, 'listening');
    upstream.url = `http://127.0.0.1:${upstream.server.address().port}`;
    return upstream;
  }

  async stop() {
    this.release();
    this.server.closeAllConnections();
    this.server.close();
  }

  /** Lets held streams go on. */
  release() {
    this.held = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  async #answer(request, response) {
    let text = '';
    for await (const chunk of request) text += chunk;
    const call = { method: request.method, url: request.url, headers: request.headers, body: text };
    this.calls.push(call);

    const told = this.script.shift() ?? this.always;
    if (told === 'refuse') return request.socket.destroy();
    if (told) {
      response.writeHead(told.status, { 'content-type': 'application/json', ...told.headers });
      return response.end(JSON.stringify(told.body ?? { error: { message: `told to answer ${told.status}`, type: 'test' } }));
    }
    const path = new URL(request.url, this.url).pathname;
    const body = text.startsWith('{') ? JSON.parse(text) : {};
    if (path.endsWith('/chat/completions')) return body.stream ? this.#stream(response, openaiEvents(body)) : json(response, openai(body));
    if (path.endsWith('/messages')) return body.stream ? this.#stream(response, anthropicEvents(body)) : json(response, anthropic(body));
    if (path.endsWith('/models')) return json(response, { object: 'list', data: [{ id: 'test-model', object: 'model', created: 1, owned_by: 'test' }] });
    return json(response, { method: call.method, url: call.url, body: text });
  }

  /** `events`: strings of SSE; the one marked `output` is the first that carries content. */
  async #stream(response, events) {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.socket.setNoDelay(true);
    for (const { text, output } of events) {
      response.write(text);
      if (output && this.held) await new Promise((go) => this.#waiting.push(go));
    }
    response.end();
  }
}

function json(response, body) {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function openai(body) {
  return {
    id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: body.model,
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: WORDS.join('') } }],
    usage: { prompt_tokens: 9, completion_tokens: WORDS.length, total_tokens: 9 + WORDS.length },
  };
}

function* openaiEvents(body) {
  const chunk = (delta, finish = null) =>
    `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: body.model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
  yield { text: chunk({ role: 'assistant', content: '' }) };
  for (const [index, word] of WORDS.entries()) yield { text: chunk({ content: word }), output: index === 0 };
  yield { text: chunk({}, 'stop') };
  yield { text: 'data: [DONE]\n\n' };
}

function anthropic(body) {
  return {
    id: 'msg_1', type: 'message', role: 'assistant', model: body.model, stop_reason: 'end_turn', stop_sequence: null,
    content: [{ type: 'text', text: WORDS.join('') }],
    usage: { input_tokens: 9, output_tokens: WORDS.length },
  };
}

function* anthropicEvents(body) {
  const event = (type, fields) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
  yield { text: event('message_start', { message: { ...anthropic(body), content: [], stop_reason: null, usage: { input_tokens: 9, output_tokens: 1 } } }) };
  yield { text: event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }) };
  for (const [index, word] of WORDS.entries()) {
    yield { text: event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: word } }), output: index === 0 };
  }
  yield { text: event('content_block_stop', { index: 0 }) };
  yield { text: event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: WORDS.length } }) };
  yield { text: event('message_stop', {}) };
}

/** What every complete answer says. */
export const ANSWER = WORDS.join('');
