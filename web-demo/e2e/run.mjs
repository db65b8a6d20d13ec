// User stories of the page with a real hub, in a real browser.
// `HUB_BIN=PATH PAGE_DIR=DIR CHROMIUM=PATH SHOTS=DIR node e2e/run.mjs [WORD]`; build the page before the hub.
import { accountStories } from "./accounts.mjs";
import { adminStories } from "./admin.mjs";
import { answerStories } from "./answers.mjs";
import { componentStories } from "./components.mjs";
import { encryptionStories } from "./encryption.mjs";
import { isFirefox, runSuite } from "./harness.mjs";
import { layoutStories } from "./layout.mjs";
import { liveStories } from "./live.mjs";
import { WITH_HUB } from "./main-stories.mjs";
import { reconnectStories } from "./reconnect.mjs";
import * as stage from "./stage.mjs";
import { unsentStories } from "./unsent.mjs";

accountStories(stage);
liveStories(stage);
answerStories(stage);
reconnectStories(stage);
layoutStories(stage);
const encrypted = encryptionStories(stage);
componentStories({ ...stage, encrypted });
unsentStories(stage);
adminStories(stage);

await runSuite({ setup: stage.setup, teardown: stage.teardown, inFirefox: WITH_HUB, workers: isFirefox ? 1 : 2 });
