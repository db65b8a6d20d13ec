// `text{content}`: markdown.
import { Markdown } from "../markdown/markdown";
import { type ComponentView, text } from "./types";

export const Text: ComponentView = ({ data }) => <Markdown text={text(data.content)} />;
