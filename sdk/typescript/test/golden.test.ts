// What `ask` seals, the ids of keys, and the files of notes: the same in every language, so that an agent may change it.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { draftOf } from "../src/agent/content.js";
import { Notes } from "../src/agent/notes.js";
import { type AskOptions, questionOf } from "../src/agent/question.js";
import { QuestionKey } from "../src/agent/question-key.js";
import { KeyPair } from "../src/e2e/index.js";
import { FileKeyStore, fileName } from "../src/node/index.js";

interface Golden {
  questions: { name: string; ask: AskOptions & { title: string }; mark: string | null; plain: object }[];
  keys: {
    agentId: string;
    session: string | null;
    key: string;
    secretKey: string | null;
    mark: string;
    idempotencyKey: string;
    now: number;
    sessions: string[];
  }[];
  files: { hub: string; principalId: string; name: string };
  notes: {
    question: { message: string; session: string; digest: string };
    answer: { digest: string; at: string };
    person: { address: string; id: string };
    space: { key: string; id: string };
    files: Record<string, string>;
  };
}

const golden = JSON.parse(readFileSync(new URL("../../../tests/vectors/questions.json", import.meta.url), "utf8")) as Golden;

test.each(golden.questions)("what a question seals: $name", ({ ask: { title, ...options }, mark, plain }) => {
  // The order of members, too.
  expect(JSON.stringify(draftOf(questionOf(title, options), mark).plain)).toBe(JSON.stringify(plain));
});

test.each(golden.keys)("the ids of a key", ({ agentId, session, key, secretKey, mark, idempotencyKey, now, sessions }) => {
  const one = new QuestionKey(agentId, session, key, secretKey === null ? undefined : KeyPair.from(secretKey));
  expect([one.mark, one.idempotencyKey, one.sessions(now)]).toEqual([mark, idempotencyKey, sessions]);
});

test("the files of notes", async () => {
  const { hub, principalId, name } = golden.files;
  const { question, answer, person, space, files } = golden.notes;
  expect(fileName(hub, principalId)).toBe(name);
  // Written here, and then as another language has written them.
  for (const written of [{}, files]) {
    const folder = mkdtempSync(join(tmpdir(), "hiloop-notes-"));
    try {
      for (const [path, text] of Object.entries(written)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text);
      }
      const notes = new Notes(new FileKeyStore(folder, hub, principalId));
      await notes.question(question.message, question.session, question.digest);
      expect(await notes.firstSeen(answer.digest, Date.parse(answer.at))).toBe(Date.parse(answer.at));
      await notes.namePerson(person.address, person.id);
      await notes.space(space.key, space.id);
      const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".json"));
      expect(Object.fromEntries(names.map((path) => [path, readFileSync(join(folder, path), "utf8")]))).toEqual(files);
      await expect(notes.question(question.message, question.session, answer.digest)).rejects.toThrow("sealed");
      await expect(notes.question(space.id, question.session, question.digest)).rejects.toThrow("another message");
      await expect(notes.namePerson(person.address.toUpperCase(), space.id)).rejects.toThrow("before");
      await expect(notes.space(space.key, person.id)).rejects.toThrow("before");
      expect(await notes.firstSeen(answer.digest, Date.now())).toBe(Date.parse(answer.at));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
});
