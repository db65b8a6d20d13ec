// `code{language?,content}`: preformatted text with a button to copy it.
import { CodeBlock } from "../markdown/markdown";
import { type ComponentView, text } from "./types";

export const Code: ComponentView = ({ data }) => <CodeBlock text={text(data.content)} language={text(data.language)} />;
