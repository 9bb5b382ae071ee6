// Asks Wiz a question as the two web frontends do, and prints what each would show.
// usage: node chat.js (reads {"url", "headers", "message"} as JSON from standard input)
"use strict";

// The first frontend: looks for lines in each network chunk, without a buffer, and
// says nothing of errors.
function unbuffered() {
  const shown = { text: "", done: false };
  return {
    shown,
    take(text) {
      for (const line of text.split("\n")) {
        if (!line.startsWith("data: ")) continue;
        const data = line.slice("data: ".length);
        if (data === "[DONE]") {
          shown.done = true;
          continue;
        }
        try {
          const event = JSON.parse(data);
          if (event.content) shown.text += event.content;
        } catch {
          shown.text += "\u26a0"; // half an event: it never had the other half
        }
      }
    },
    end() {},
  };
}

// The present frontend: a parser by the book. What is not JSON is an error, and an
// answer without its end was interrupted.
function buffered() {
  const shown = { text: "", done: false, error: null };
  let left = "";
  function block(text) {
    const data = [];
    for (const line of text.split(/\r\n|\r|\n/)) {
      if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
    if (!data.length) return;
    const joined = data.join("\n");
    if (joined === "[DONE]") {
      shown.done = true;
      return;
    }
    const event = JSON.parse(joined);
    if (typeof event.error === "string") shown.error = event.error;
    if (typeof event.content === "string") shown.text += event.content;
  }
  return {
    shown,
    take(text) {
      const blocks = (left + text).split(/\r\n\r\n|\n\n|\r\r/);
      left = blocks.pop();
      blocks.forEach(block);
    },
    end() {
      if (left) block(left);
      if (!shown.done) shown.error = "interrupted";
    },
  };
}

// What both turn into buttons that seek: [d:dd], [dd:dd], [d:dd:dd], and lists of them.
function seeks(text) {
  const time = "\\d{1,2}:\\d{2}(?::\\d{2})?";
  const list = new RegExp(`\\[(${time}(?:, ?${time})*)\\]`, "g");
  const seconds = (one) => one.split(":").reduce((sum, part) => sum * 60 + +part, 0);
  return [...text.matchAll(list)].flatMap((m) => m[1].split(/, ?/).map(seconds));
}

async function main() {
  let input = "";
  for await (const piece of process.stdin) input += piece;
  const { url, headers, message } = JSON.parse(input);
  const reply = await fetch(url, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify({ message }),
  });
  if (reply.status !== 200) {
    const body = await reply.json();
    console.log(JSON.stringify({ status: reply.status, body }));
    return;
  }
  const [old, present] = [unbuffered(), buffered()];
  const decoder = new TextDecoder();
  let chunks = 0;
  for await (const chunk of reply.body) {
    const text = decoder.decode(chunk, { stream: true });
    chunks += 1;
    old.take(text);
    present.take(text);
  }
  present.end();
  console.log(
    JSON.stringify({
      status: 200,
      chunks,
      unbuffered: old.shown,
      buffered: present.shown,
      seeks: seeks(present.shown.text),
    }),
  );
}

main().catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});
