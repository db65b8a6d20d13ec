// What each driver in TypeScript does with its client: the same as driver.py.

export function hiloopEnvironment() {
  const names = ["HOME", "PATH", "XDG_CONFIG_HOME"];
  const own = ([name]) => names.includes(name) || name.startsWith("HILOOP_");
  return Object.fromEntries(Object.entries(process.env).filter(own));
}

export async function drive(call, tools, protocol, [mode, email, key]) {
  const said = { protocol, tools: tools.length };
  let notices = 0;
  const onprogress = () => {
    if (notices === 0) print({ waiting: true });
    notices += 1;
  };
  if (mode === "resume") {
    Object.assign(said, await answer(call, { key }));
  } else {
    const ask = { title: `zebrafish title ${key}`, text: "zebrafish text", to: [email], key };
    const asked = await call("ask_human", ask, onprogress);
    if (asked.isError) throw new Error(asked.content[0].text);
    const { approved, text } = asked.structuredContent;
    Object.assign(said, { approved, text, progress: notices });
    const pending = await call("ask_human", { ...ask, key: `${key}-handle`, wait_seconds: 0 });
    said.handle = pending.structuredContent.state;
    said.later = (await answer(call, pending.structuredContent.next.arguments)).approved;
    const bad = await call("ask_human", { title: "x", deadline: "soon" });
    said.problem = [bad.isError, bad.content[0].text, bad.structuredContent ?? null];
  }
  print(said);
}

async function answer(call, args) {
  for (;;) {
    const result = await call("await_answer", args);
    if (result.isError) throw new Error(result.content[0].text);
    const { state, approved, text } = result.structuredContent;
    if (state !== "pending") return { approved, text };
  }
}

function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
