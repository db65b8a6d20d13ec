// The stories that also run in Firefox (`make test-firefox`), by their names in the two suites.

/** With a real hub: `run.mjs`. */
export const WITH_HUB = [
  "a person signs in and sees the conversations; a wrong password is an error",
  "a person's typing, message and reading reach the agent; the agent's reading reaches the person",
  "an approval by its button ends the agent's wait, and the buttons settle",
  "two people press at once: one wins, and both see the name",
  "a guest's link opens straight in its conversation, and the guest answers",
  "the hub is killed and comes back: the page resumes, and shows each message once",
  "signing out ends at the sign-in, here and in the other tab",
  "components: every one is shown, and a form with every type of field is filled in, kept, sent and frozen",
  "encrypted: a conversation that a person starts is encrypted from its title on",
  "encrypted: another browser restores the keys with the recovery code, and answers in words",
  "encrypted: a guest's keys are made with the link, and the guest answers",
  "unsent: the hub is killed, Approve is pressed, the hub comes back: the press is sent, and an expired one says so",
];

/** With a simulated hub: `mock.mjs`. */
export const WITH_SIMULATED_HUB = [
  "without the hub the page opens, with its late parts; nothing of the hub's calls is kept",
  "a new release is announced, the page goes on with its own parts, and reloads when it is told to",
  "what was read is there without the hub, locked, is caught up afterwards, and goes with the sign-out",
  "no part of the page is refused by its policy, and no other way in is open",
];
