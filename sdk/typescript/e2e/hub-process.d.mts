// The types of hub-process.mjs.
export class HubProcess {
  base: string;
  key: string;
  readonly dir: string;
  constructor(dir: string, log: string);
  open(): Promise<void>;
  kill(): Promise<void>;
  drain(): Promise<number | null>;
  restart(): Promise<void>;
  crash(): Promise<void>;
  cli(...args: string[]): Promise<string>;
  agentKey(name: string): Promise<string>;
}
