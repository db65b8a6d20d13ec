// `approval{title,description?,approveLabel?,rejectLabel?}`: yes or no to one thing.
import { useId } from "preact/hooks";
import { Markdown } from "../markdown/markdown";
import { AnswerButtons } from "./answer-buttons";
import { approvalChoices } from "./choices";
import type { ComponentView } from "./types";
import { text } from "./values";

export const Approval: ComponentView = ({ data }) => {
  const id = useId();
  const title = text(data.title) || "Approval";
  const description = text(data.description);
  return (
    <section class="approval" aria-labelledby={id}>
      <h4 id={id} dir="auto">
        {title}
      </h4>
      {description && <Markdown text={description} />}
      <AnswerButtons label={`Answers to: ${title}`} choices={approvalChoices(data)} />
    </section>
  );
};
