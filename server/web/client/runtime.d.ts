// A client of Rollcall's API: what all operations share. It needs `fetch` and nothing else (browsers, Node 18 and later).

/** A refusal: `problem` is the document of RFC 9457, `code` is stable, `retryAfterS` says when to try again. */
export declare class RollcallProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly problem: Problem | null;
  readonly retryAfterS: number | null;
}

export interface ClientOptions {
  fetch?: typeof fetch;
  /** What a log-in gave, as the app kept it. */
  tokens?: SessionTokens | null;
  /** Hears of each new pair of tokens, and of null when the session ended. */
  onTokens?: (tokens: SessionTokens | null) => void;
}

export interface CallOptions {
  signal?: AbortSignal;
  /** Hears of the answer itself, for its headers. */
  onResponse?: (response: Response) => void;
}

export interface StreamOptions {
  signal?: AbortSignal;
  lastEventId?: string;
  /** How long to wait before a stream that ended is opened again (milliseconds). */
  retryMs?: number;
}

export interface StreamEvent<Data = unknown> {
  name: string;
  id: string;
  data: Data;
}

declare class Client {
  constructor(base: string, options?: ClientOptions);
  logIn(username: string, password: string): Promise<void>;
  logOut(): Promise<void>;
  /** The events of a stream, again and again until `signal` says stop. */
  events<Data = unknown>(path: string, options?: StreamOptions): AsyncGenerator<StreamEvent<Data>, void, void>;
}
