// Names of components: one that every JavaScript object inherits is unknown like any other.
import type { VNode } from "preact";
import { expect, test } from "vitest";
import { variantOf } from "../src/components/action-button";
import { Alert } from "../src/components/alert";
import { registry } from "../src/components/registry";

const INHERITED = ["constructor", "__proto__", "toString", "hasOwnProperty", "valueOf"];

const alert = (level: string) => {
  const data = { level, content: "text" };
  return (Alert({ node: { type: "alert", data }, data }) as VNode<{ class: string; "aria-label": string }>).props;
};

test("an alert's level is one of those that there are", () => {
  expect(alert("danger")).toMatchObject({ class: "alert danger", "aria-label": "Danger" });
  for (const level of [...INHERITED, "", "loud"]) {
    expect(alert(level)).toMatchObject({ class: "alert info", "aria-label": "Note" });
  }
});

test("a button's variant is one of those that there are", () => {
  expect(["primary", "secondary", "danger"].map(variantOf)).toEqual(["primary", "secondary", "danger"]);
  for (const variant of INHERITED) expect(variantOf(variant)).toBe("secondary");
});

test("a type that every object inherits is no component", () => {
  for (const type of INHERITED) expect(registry.get(type)).toBeUndefined();
});
