// A client of Rollcall's API: what all operations share. It needs `fetch` and nothing else (browsers, Node 18 and later).

// A refusal: `problem` is the document of RFC 9457, `code` is stable, `retryAfterS` says when to try again.
export class RollcallProblem extends Error {
  constructor(status, problem, retryAfterS) {
    super(problem?.detail ?? `HTTP ${status}`);
    this.name = "RollcallProblem";
    this.status = status;
    this.code = problem?.code ?? "unknown";
    this.problem = problem;
    this.retryAfterS = retryAfterS;
  }
}

class Client {
  // `tokens`: what a log-in gave, kept by the app; `onTokens` hears of each new pair, and of null when the session ended.
  constructor(base, options = {}) {
    this.base = base.replace(/\/+$/, "");
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    this.tokens = options.tokens ?? null;
    this.onTokens = options.onTokens ?? (() => {});
    this.renewing = null;
  }

  async logIn(username, password) {
    const form = new URLSearchParams({ username, password });
    this.keep(await this.answer(await this.fetch(`${this.base}/api/v1/auth/token`, { method: "POST", body: form })));
  }

  async logOut() {
    const token = this.tokens?.refresh_token;
    this.keep(null);
    if (token) await this.post("/api/v1/auth/log-out", { refresh_token: token });
  }

  // The events of a stream, again and again until `signal` says stop; each has `name`, `id` and `data` (parsed JSON).
  async *events(path, options = {}) {
    let lastEventId = options.lastEventId ?? "";
    while (!options.signal?.aborted) {
      try {
        const headers = lastEventId ? { "last-event-id": lastEventId } : {};
        const response = await this.send("GET", path, { headers, signal: options.signal });
        if (!response.ok) throw await this.problem(response);
        for await (const event of parsed(response.body)) {
          if (event.id) lastEventId = event.id;
          yield event;
        }
      } catch (error) {
        if (options.signal?.aborted) return;
        // What is refused stays refused; a link that broke is tried again.
        if (error instanceof RollcallProblem && error.status < 500 && error.status !== 429) throw error;
      }
      await new Promise((done) => setTimeout(done, options.retryMs ?? 2000));
    }
  }

  async call(method, pattern, args = {}, options = {}) {
    const path = pattern.replace(/{(\w+)}/g, (_, name) => encodeURIComponent(String(args[name])));
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(args.query ?? {})) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one !== undefined && one !== null) query.append(name, String(one));
      }
    }
    const where = query.size ? `${path}?${query}` : path;
    const response = await this.send(method, where, { headers: args.headers, body: args.body, signal: options.signal });
    options.onResponse?.(response);
    return this.answer(response);
  }

  async send(method, path, request) {
    const response = await this.attempt(method, path, request);
    if (response.status !== 401 || !this.tokens?.refresh_token) return response;
    await response.body?.cancel();
    // All that are refused at one time share one refresh: a refresh token is good once.
    this.renewing ??= this.renew().finally(() => {
      this.renewing = null;
    });
    await this.renewing;
    return this.attempt(method, path, request);
  }

  attempt(method, path, { headers = {}, body, signal }) {
    const sent = new Headers();
    for (const [name, value] of Object.entries(headers)) if (value !== undefined && value !== null) sent.set(name, value);
    if (this.tokens) sent.set("authorization", `Bearer ${this.tokens.access_token}`);
    const isBinary = body instanceof Blob || body instanceof ArrayBuffer || ArrayBuffer.isView(body);
    if (body !== undefined && !isBinary) sent.set("content-type", "application/json");
    const payload = body === undefined || isBinary ? body : JSON.stringify(body);
    return this.fetch(this.base + path, { method, headers: sent, body: payload, signal });
  }

  async renew() {
    const response = await this.post("/api/v1/auth/refresh", { refresh_token: this.tokens.refresh_token });
    if (response.status === 401) this.keep(null);
    this.keep(await this.answer(response));
  }

  post(path, body) {
    const headers = { "content-type": "application/json" };
    return this.fetch(this.base + path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async answer(response) {
    if (response.status === 304) return null;
    if (!response.ok) throw await this.problem(response);
    if (response.status === 204) return undefined;
    return (response.headers.get("content-type") ?? "").startsWith("application/json") ? response.json() : response;
  }

  async problem(response) {
    const problem = await response.json().catch(() => null);
    return new RollcallProblem(response.status, problem, Number(response.headers.get("retry-after")) || null);
  }

  keep(tokens) {
    this.tokens = tokens;
    this.onTokens(tokens);
  }
}

// Server-sent events, read as WHATWG HTML (section 9.2.6) says; comments are passed over.
async function* parsed(body) {
  const decoder = new TextDecoder();
  let rest = "";
  let event = { name: "message", id: "", data: [] };
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (line === "") {
        if (event.data.length) yield { name: event.name, id: event.id, data: JSON.parse(event.data.join("\n")) };
        event = { name: "message", id: event.id, data: [] };
      } else if (field === "event") event.name = value;
      else if (field === "data") event.data.push(value);
      else if (field === "id") event.id = value;
    }
  }
}
