// `approval{title,description?,approveLabel?,rejectLabel?}`: yes or no to one thing.
import { useId } from "preact/hooks";
import { Markdown } from "../markdown/markdown";
import { AnswerButtons, type Choice } from "./answer-buttons";
import { type ComponentView, text } from "./types";

export const Approval: ComponentView = ({ data }) => {
  const id = useId();
  const title = text(data.title) || "Approval";
  const description = text(data.description);
  // A refusal is the safe answer: it needs no second step.
  const choices: Choice[] = [
    { action: "approve", label: text(data.approveLabel) || "Approve", variant: "primary", question: null, outcome: "Approved" },
    { action: "reject", label: text(data.rejectLabel) || "Reject", variant: "danger", question: null, outcome: "Rejected" },
  ];
  return (
    <section class="approval" aria-labelledby={id}>
      <h4 id={id} dir="auto">
        {title}
      </h4>
      {description && <Markdown text={description} />}
      <AnswerButtons label={`Answers to: ${title}`} choices={choices} />
    </section>
  );
};
