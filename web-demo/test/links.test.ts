// The links that come in the fragment of an address.
import { expect, test } from "vitest";
import { linkOf } from "../src/views/app-state";

test("guest links and setup links are recognized, other fragments are not", () => {
  expect(linkOf("#guest=hlg_1")).toEqual({ kind: "guest", token: "hlg_1" });
  expect(linkOf("#setup=a%2Fb")).toEqual({ kind: "setup", token: "a/b" });
  for (const hash of ["", "#/s/1", "#guest=", "#constructor=x", "#guest=a&b", "#setup=%E0%A4%A"]) expect(linkOf(hash)).toBeNull();
});
