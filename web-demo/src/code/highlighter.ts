// The highlighter and its grammars: a script of its own, which `use-tokens.ts` loads for the first text that has a grammar.
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import dockerfile from "highlight.js/lib/languages/dockerfile";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import type { Grammar } from "./languages";
import { linesOf, type Token, type TreeNode } from "./tokens";

const grammars = { bash, css, diff, dockerfile, go, ini, java, javascript, json, python, rust, sql, typescript, xml, yaml };
const lowlight = createLowlight(grammars satisfies Record<Grammar, unknown>);

/** A text as lines of tokens. No markup is made: the tree that the grammar finds is read as data. */
export function highlight(text: string, grammar: Grammar): Token[][] {
  return linesOf(lowlight.highlight(grammar, text) as TreeNode);
}
