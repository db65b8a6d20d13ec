// `code{language?,content}` and `file_content{path,language?,startLine?,content}`: preformatted text, that of a file with its lines numbered.
import { CodeFigure } from "../code/figure";
import type { ComponentView } from "./types";
import { number, text } from "./values";

export const Code: ComponentView = ({ data }) => <CodeFigure text={text(data.content)} language={text(data.language)} />;

export const FileContent: ComponentView = ({ data }) => {
  const path = text(data.path);
  const start = number(data.startLine);
  return (
    <CodeFigure
      class="numbered"
      label={path || "File"}
      path={path}
      language={text(data.language)}
      text={text(data.content)}
      startLine={start !== null && Number.isSafeInteger(start) && start >= 0 ? start : 1}
    />
  );
};
