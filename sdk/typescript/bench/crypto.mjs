// How fast envelopes are sealed and opened, and how long they are: `npm run build && node bench/crypto.mjs`
import { performance } from "node:perf_hooks";
import { Device, KeyPair, KeyRing, makeEntry, MemoryKeyStore, Pins } from "@hiloop/sdk/e2e";

const SESSION = "01a21d32-ca28-752f-a6ac-925e2f4dcabb";
const id = (n) => `01a21d32-0000-7000-8000-${String(n).padStart(12, "0")}`;
const plain = { content: { text: "All **412** tests pass." }, components: { type: "approval", data: { title: "Ship?" } } };

for (const count of [1, 3, 20]) {
  const pairs = Array.from({ length: count }, () => KeyPair.generate());
  const device = async (n) => {
    const pins = new Pins({ store: new MemoryKeyStore() });
    for (const [i, pair] of pairs.entries()) await pins.see(id(i), makeEntry(id(i), pair));
    return new Device({ principalId: id(n), keys: new KeyRing(pairs[n]), pins });
  };
  const [sender, receiver] = [await device(0), await device(count - 1)];
  const to = pairs.map((keys, i) => ({ principalId: id(i), keys }));
  const seal = () => sender.seal({ kind: "message", session: SESSION, plain, to });
  const rate = async (run) => {
    let done = 0;
    const began = performance.now();
    while (performance.now() - began < 1500) {
      await run();
      done += 1;
    }
    return Math.round((done * 1000) / (performance.now() - began));
  };
  const { envelope } = await seal();
  const sealed = await rate(seal);
  const opened = await rate(() => receiver.open(envelope, { session: SESSION, sender: id(0), carrier: "m" }));
  console.log(`${count} recipients: seal ${sealed}/s, open ${opened}/s, ${JSON.stringify(envelope).length} bytes`);
}
