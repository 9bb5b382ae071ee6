// Reads a readiness stream as the two web frontends do, and prints what each heard.
// usage: node readiness.js (reads {"url", "headers"} as JSON from standard input)
"use strict";

// The first frontend: splits each network chunk at blank lines, without a buffer.
function unbuffered() {
  const heard = [];
  return {
    heard,
    take(text) {
      for (const block of text.split("\n\n")) {
        const lines = block.split("\n");
        const name = lines.find((line) => line.startsWith("event: "));
        const data = lines.find((line) => line.startsWith("data: "));
        if (name && data) {
          const { video } = JSON.parse(data.slice("data: ".length));
          heard.push([name.slice("event: ".length), video]);
        }
      }
    },
    end() {},
  };
}

// The present frontend: a parser by the book, with strict looks at the types.
function buffered() {
  const heard = [];
  let left = "";
  function block(text) {
    let name = "message";
    const data = [];
    for (const line of text.split(/\r\n|\r|\n/)) {
      if (line === "" || line.startsWith(":")) continue;
      const at = line.indexOf(":");
      const field = at < 0 ? line : line.slice(0, at);
      const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
      if (field === "event") name = value;
      if (field === "data") data.push(value);
    }
    if (data.length) heard.push([name, checked(JSON.parse(data.join("\n")).video)]);
  }
  return {
    heard,
    take(text) {
      const blocks = (left + text).split(/\r\n\r\n|\n\n|\r\r/);
      left = blocks.pop();
      blocks.forEach(block);
    },
    end() {
      if (left) block(left);
    },
  };
}

const isText = (value) => typeof value === "string";
const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function checked(video) {
  const problems = [];
  const must = (name, fits) => {
    if (!(name in video) || !fits(video[name])) problems.push(name);
  };
  must("video_id", isText);
  must("title", (value) => value === null || isText(value));
  must("transcript_available", (value) => typeof value === "boolean");
  must("metadata", (value) => value === null || isObject(value));
  must("summary", (value) => value === null || isText(value));
  const asked = video.suggested_questions;
  if (asked != null && !(Array.isArray(asked) && asked.every(isText)))
    problems.push("suggested_questions");
  if (problems.length) throw new Error(`not a video: ${problems}`);
  return video;
}

async function main() {
  let input = "";
  for await (const piece of process.stdin) input += piece;
  const { url, headers } = JSON.parse(input);
  const reply = await fetch(url, { headers });
  if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
  const [old, present] = [unbuffered(), buffered()];
  const decoder = new TextDecoder();
  for await (const chunk of reply.body) {
    const text = decoder.decode(chunk, { stream: true });
    old.take(text);
    present.take(text);
  }
  present.end();
  console.log(JSON.stringify({ unbuffered: old.heard, buffered: present.heard }));
}

main().catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});
