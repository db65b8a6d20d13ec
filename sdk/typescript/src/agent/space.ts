// Checks once that the key belongs to the space of the options.
import { HiloopError } from "../errors.js";
import type { Http } from "../http.js";
import type { AgentSelf, Space } from "../types.js";

export class SpaceCheck {
  private result: Promise<void> | null = null;

  constructor(
    private readonly http: Http,
    private readonly name: string,
  ) {}

  /** Rejects where it is another space, or where the key may not list spaces. */
  passed(): Promise<void> {
    this.result ??= this.check().catch((error: unknown) => {
      this.result = null;
      throw error;
    });
    return this.result;
  }

  private async check(): Promise<void> {
    const { spaceId } = await this.http.call<AgentSelf>("GET", "/v1/agent/me");
    const spaces = await this.http.all<Space>("/v1/manage/spaces");
    const own = spaces.find(({ id }) => id === spaceId);
    if (own?.name !== this.name) {
      throw new HiloopError(
        0,
        "VALIDATION_ERROR",
        `The API key belongs to the space '${own?.name ?? spaceId}', not to '${this.name}'`,
      );
    }
  }
}
