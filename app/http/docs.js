"use strict";
// Behind /docs: search, links that open what they point to, samples in four languages, and requests to this server.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const one = (selector, root = document) => root.querySelector(selector);
const remembered = (store, name) => { try { return store.getItem(name) ?? ""; } catch { return ""; } };
const remember = (store, name, value) => { try { store.setItem(name, value); } catch { /* a private window */ } };

// Search, over the places in the menu; items of the page that do not match go, too.
const search = one("#search");
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  document.body.classList.toggle("searching", words.length > 0);
  let found = 0;
  for (const place of all("[data-words]")) {
    place.hidden = !words.every((word) => place.dataset.words.includes(word));
    if (!place.hidden && place.matches("li")) found += 1;
  }
  for (const group of all("[data-group]")) group.hidden = !one("[data-words]:not([hidden])", group);
  one("#none").hidden = found > 0;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(document.activeElement.tagName)) {
    event.preventDefault();
    search.focus();
  }
});

// A link opens what it points to.
function open() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) {  // a search hides it
    search.value = "";
    search.dispatchEvent(new Event("input"));
  }
  for (let inner = target; inner; inner = inner.parentElement?.closest("details")) inner.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", open);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) open();
});

// What a form says, as a request.
function request(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  const key = one("#key").value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  for (const field of all("[data-in]", form)) {
    const value = field.value.trim();
    if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, value ? encodeURIComponent(value) : `{${field.name}}`);
    else if (value && field.dataset.in === "query") {
      for (const part of field.dataset.list ? value.split(/[,\s]+/) : [value]) query.append(field.name, part);
    } else if (value) headers[field.name] = value;
  }
  const field = one("textarea, input[type=file]", form);
  const file = field?.files?.[0];
  const body = field?.files ? file && `@${file.name}` : field?.value.trim();
  if (body) headers["Content-Type"] = field.dataset.type;
  const search = query.toString();
  return { method: form.dataset.method, url: location.origin + path + (search && `?${search}`), headers, body, file };
}

const quoted = (text) => JSON.stringify(text);
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const json = ({ headers }) => headers["Content-Type"] === "application/json";
const indented = (text) => text.replaceAll("\n", "\n  ");
const python = (text) => text.replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g,
  (word) => ({ true: "True", false: "False", null: "None" })[word] ?? word);
const samples = {
  curl({ method, url, headers, body, file }) {
    const parts = [`curl -s${method === "GET" || (body && method === "POST") ? "" : ` -X ${method}`} ${shell(url)}`];
    for (const [name, value] of Object.entries(headers)) parts.push(`-H ${shell(`${name}: ${value}`)}`);
    if (body) parts.push(`${file ? "--data-binary" : "-d"} ${shell(body)}`);
    return parts.join(" \\\n  ");
  },
  Python(asked) {
    const { method, url, headers, body } = asked;
    const { "Content-Type": type, ...others } = headers;
    const given = [quoted(method), quoted(url)];
    const named = Object.entries(json(asked) ? others : headers);
    if (named.length) given.push(`headers={${named.map(([name, value]) => `${quoted(name)}: ${quoted(value)}`).join(", ")}}`);
    if (body) given.push(json(asked) ? `json=${indented(python(body))}` 
      : asked.file ? `content=open(${quoted(asked.file.name)}, "rb").read()` : `content=${quoted(body)}`);
    return `import httpx\n\nanswer = httpx.request(\n  ${given.join(",\n  ")},\n)\nprint(answer.status_code, answer.text)`;
  },
  JavaScript(asked) {
    const { method, url, headers, body } = asked;
    const options = [`method: ${quoted(method)}`];
    const named = Object.entries(headers);
    if (named.length) options.push(`headers: { ${named.map(([name, value]) => `${quoted(name)}: ${quoted(value)}`).join(", ")} }`);
    if (body) options.push(`body: ${json(asked) ? `JSON.stringify(${indented(body)})` : asked.file ? `await (await import("node:fs/promises")).readFile(${quoted(asked.file.name)})` : quoted(body)}`);
    return `const answer = await fetch(${quoted(url)}, {\n  ${options.join(",\n  ")},\n});\nconsole.log(answer.status, await answer.text());`;
  },
  Go({ method, url, headers, body, file }) {
    if (file) return "// for a file: bytes.NewReader(contents), where strings.NewReader stands for texts";
    const text = body && (body.includes("`") ? quoted(body) : `\`${body}\``);
    const lines = Object.entries(headers).map(([name, value]) => `\trequest.Header.Set(${quoted(name)}, ${quoted(value)})\n`);
    const imports = ["fmt", "io", "net/http", ...(body ? ["strings"] : [])].map((name) => `\t${quoted(name)}\n`).join("");
    return `package main\n\nimport (\n${imports})\n\nfunc main() {\n`
      + `\trequest, _ := http.NewRequest(${quoted(method)}, ${quoted(url)}, ${body ? `strings.NewReader(${text})` : "nil"})\n`
      + `${lines.join("")}\tanswer, err := http.DefaultClient.Do(request)\n\tif err != nil {\n\t\tpanic(err)\n\t}\n`
      + "\tdefer answer.Body.Close()\n\ttext, _ := io.ReadAll(answer.Body)\n\tfmt.Println(answer.Status, string(text))\n}";
  },
};

function show(form) {
  const language = document.body.dataset.language;
  one(".sample", form).textContent = samples[language](request(form));
  for (const button of all("[data-language]", form)) button.setAttribute("aria-pressed", button.dataset.language === language);
}
const shown = () => all("details[open] form").forEach(show);
function speak(language) {
  document.body.dataset.language = samples[language] ? language : "curl";
  remember(localStorage, "language", document.body.dataset.language);
  shown();
}

async function send(form) {
  const missing = all("[data-in=path]", form).find((field) => !field.value.trim());
  if (missing) return missing.focus();
  const output = one(".answer", form);
  const asked = request(form);
  const begun = performance.now();
  try {
    const answer = await fetch(asked.url, { ...asked, body: asked.file ?? (asked.body || undefined) });
    const kind = answer.headers.get("content-type") ?? "";
    const text = /json|text|xml/.test(kind) ? await answer.text() : "";
    const whole = text || !kind ? block(pretty(text)) : saved(await answer.blob());
    const seconds = `${(performance.now() - begun).toFixed(0)} ms`;
    output.replaceChildren(status(answer, seconds), whole);
    if (answer.ok && form.dataset.opens) all("input[name=sid]").forEach((field) => { field.value = JSON.parse(text).id; });
  } catch (error) {
    output.replaceChildren(block(`No answer: ${error.message}`));
  }
  output.hidden = false;
  shown();
}
function status(answer, seconds) {
  const line = document.createElement("p");
  line.className = answer.ok || answer.status === 304 ? "good" : "bad";
  const told = ["ETag", "Location", "Retry-After"].filter((name) => answer.headers.has(name));
  line.textContent = [`${answer.status} ${answer.statusText}`.trim(), seconds,
    ...told.map((name) => `${name}: ${answer.headers.get(name)}`)].join(" · ");
  return line;
}
function saved(blob) {
  const link = document.createElement("a");
  Object.assign(link, { href: URL.createObjectURL(blob), download: "session.msgpack", textContent: `Save ${blob.size} bytes` });
  return link;
}
function block(text) {
  const made = document.createElement("pre");
  made.textContent = text;
  return made;
}
// JSON laid out for a reader, every number as it was written.
function pretty(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[[\]{},:]|[^[\]{},:\s"]+/g);
  if (!/^\s*[[{]/.test(text) || !tokens) return text;
  let at = 0;
  const read = () => {
    const token = tokens[at++];
    if (token !== "[" && token !== "{") return token;
    const parts = [];
    while (tokens[at] !== "]" && tokens[at] !== "}") {
      const name = token === "{" ? `${tokens[at]}: ` : "";
      if (name) at += 2;
      parts.push([name, read()]);
      if (tokens[at] === ",") at += 1;
    }
    return { open: token, parts, close: tokens[at++] };
  };
  return lay(read(), "");
}
const flat = (value) => (typeof value === "string" ? value
  : value.open + value.parts.map(([name, part]) => name + flat(part)).join(", ") + value.close);
function lay(value, indent) {
  const short = flat(value);
  if (typeof value === "string" || short.length < 90) return short;
  const parts = value.parts.map(([name, part]) => `${indent}  ${name}${lay(part, `${indent}  `)}`);
  return `${value.open}\n${parts.join(",\n")}\n${indent}${value.close}`;
}

for (const form of all("form")) {
  form.addEventListener("input", () => show(form));
  form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  form.closest("details").addEventListener("toggle", () => show(form));
  one("select.examples", form)?.addEventListener("change", (event) => {
    const chosen = event.target.selectedOptions[0];
    const body = one("textarea", form);
    body.value = chosen.dataset.text;
    body.dataset.type = chosen.dataset.type;
    show(form);
  });
}
document.addEventListener("click", (event) => {
  const { language, copy } = event.target.dataset ?? {};
  if (language) speak(language);
  if (copy !== undefined) navigator.clipboard?.writeText(one(".sample", event.target.closest("form")).textContent);
});
const key = one("#key");
key.value = remembered(sessionStorage, "key");
key.addEventListener("input", () => { remember(sessionStorage, "key", key.value); shown(); });
speak(remembered(localStorage, "language"));
open();
