// The REST API. Paths are written as the contracts write them: their variables are taken from
// `fields`, and what is left of these becomes the query.

const KEY = "colonnade.key";
const TIMEOUT = 60_000;
const UPLOAD_TIMEOUT = 600_000;
const changed = new Set();
let asked = null;
let askForKey = () => Promise.reject(new Error("nobody can be asked for a key"));

// A refusal of the API: its code, its words, and what is wrong about which field.
export class ApiError extends Error {
  constructor(error) {
    super(error.message);
    const details = error.details ?? [];
    this.code = error.code;
    this.reason = details.find((detail) => detail.reason)?.reason ?? error.status ?? "";
    this.metadata = details.find((detail) => detail.metadata)?.metadata ?? {};
    this.violations = details.flatMap((detail) => detail.fieldViolations ?? []);
  }
}

export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

// `ask` is called when a key is needed, with the reason, and promises that there is one.
export function whenKeyIsNeeded(ask) {
  askForKey = ask;
}

// `listener` is called after every change that was made here.
export function whenChanged(listener) {
  changed.add(listener);
}

export const api = {
  // GET.
  get: (template, fields = {}, options = {}) => send("GET", template, fields, undefined, options),
  // POST that changes nothing, with the whole message as its body.
  ask: (template, fields = {}, message = {}, options = {}) => send("POST", template, fields, message, options),
  // POST with the whole message as its body.
  call: (template, fields = {}, message = {}) =>
    change("POST", template, fields, { ...message, requestId: uuid() }),
  // POST of a new resource.
  create: (template, fields, resource) => change("POST", template, { ...fields, requestId: uuid() }, resource),
  // PATCH of the fields of a resource that `mask` names.
  update: (template, fields, resource, mask) =>
    change("PATCH", template, { ...fields, updateMask: mask.join(","), requestId: uuid() }, resource),
  // DELETE.
  remove: (template, fields) => change("DELETE", template, { ...fields, requestId: uuid() }),
  watch,
  upload,
  picture,
};

// All items of a list, page by page, up to `most`.
export async function all(template, fields, items, most = 1000) {
  const found = [];
  let pageToken = "";
  do {
    const page = await api.get(template, { ...fields, pageSize: 200, pageToken });
    found.push(...page[items]);
    pageToken = page.nextPageToken;
  } while (pageToken && found.length < most);
  return found;
}

async function change(method, template, fields, body) {
  const answer = await send(method, template, fields, body, {});
  tellChanged();
  return answer;
}

function tellChanged() {
  for (const listener of changed) listener();
}

async function send(method, template, fields, body, { signal } = {}) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const request = { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal };
  const answer = await reach(addressOf(template, fields), request);
  return answer.json();
}

// Sends a request. What nobody answered is sent once more: reading it twice is harmless, and a
// change carries an id by which it is made once.
async function reach(address, request) {
  let answer;
  try {
    answer = await tryOnce(address, request);
  } catch (error) {
    if (request.signal?.aborted) throw error;
    answer = await tryOnce(address, request).catch((again) => {
      throw new Error(`the suite does not answer (${again.message})`);
    });
  }
  if (answer.status === 401) {
    const { error } = await answer.json();
    await signIn(error.message);
    return reach(address, request);
  }
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function tryOnce(address, { signal, headers, ...request }) {
  const limits = [AbortSignal.timeout(TIMEOUT), ...(signal ? [signal] : [])];
  return fetch(address, { ...request, headers: { ...headers, ...authorization() }, signal: AbortSignal.any(limits) });
}

async function refusal(answer) {
  const text = await answer.text();
  try {
    return new ApiError(JSON.parse(text).error);
  } catch {
    return new Error(`${answer.status} ${answer.statusText} ${text.slice(0, 200)}`);
  }
}

// Several requests that are refused at once ask once.
function signIn(message) {
  asked ??= askForKey(message).finally(() => { asked = null; });
  return asked;
}

function authorization() {
  return key.get() ? { authorization: `Bearer ${key.get()}` } : {};
}

function addressOf(template, fields) {
  const left = { ...fields };
  const path = template.replace(/\{([\w.]+)(?:=[^}]*)?\}/g, (_, name) => {
    const value = left[name];
    delete left[name];
    return value.split("/").map(encodeURIComponent).join("/");
  });
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(left)) {
    for (const each of [value].flat()) if (each !== undefined && each !== "") query.append(name, each);
  }
  return query.size ? `${path}?${query}` : path;
}

// Randomness that there is on pages without TLS too.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Calls `listener` with every message of a stream; ends when the stream does.
async function watch(template, fields, listener, { signal } = {}) {
  const answer = await fetch(addressOf(template, fields), {
    headers: { accept: "application/x-ndjson", ...authorization() },
    signal,
  });
  if (!answer.ok) throw await refusal(answer);
  let waiting = "";
  const chunks = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await chunks.read();
    if (done) break;
    const lines = (waiting + value).split("\n");
    waiting = lines.pop();
    for (const line of lines.filter(Boolean)) {
      const message = JSON.parse(line);
      if (message.error) throw new ApiError(message.error);
      listener(message.result);
    }
  }
  tellChanged();
}

// Uploads a file; `progress` is told the share that is sent, 0..1.
function upload(template, fields, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", addressOf(template, fields));
    request.timeout = UPLOAD_TIMEOUT;
    request.setRequestHeader("content-type", "application/octet-stream");
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded / (event.total || 1));
    request.onload = () => {
      try {
        const answer = JSON.parse(request.responseText);
        if (request.status !== 200) return reject(new ApiError(answer.error));
        tellChanged();
        return resolve(answer);
      } catch {
        return reject(new Error(`${request.status} ${request.statusText}`));
      }
    };
    request.onerror = () => reject(new Error("the connection broke; the file can be sent again, it is kept once"));
    request.ontimeout = () => reject(new Error("it took longer than ten minutes"));
    request.send(file);
  });
}

// The bytes behind a path of the gateway, for pictures that need the key.
async function picture(path, signal) {
  return (await reach(path, { method: "GET", signal })).blob();
}
