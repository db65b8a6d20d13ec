// `approval{title,description?,approveLabel?,rejectLabel?}`: yes or no to one thing.
import { Markdown } from "../markdown/markdown";
import { ActionButton } from "./action-button";
import { type ComponentView, text } from "./types";

export const Approval: ComponentView = ({ data }) => {
  const title = text(data.title) || "Approval";
  const description = text(data.description);
  return (
    <section class="approval" aria-label={title}>
      <h4 dir="auto">{title}</h4>
      {description && <Markdown text={description} />}
      <div class="buttons" role="group" aria-label={`Answers to: ${title}`}>
        <ActionButton action="approve" label={text(data.approveLabel) || "Approve"} variant="primary" />
        <ActionButton action="reject" label={text(data.rejectLabel) || "Reject"} variant="danger" />
      </div>
    </section>
  );
};
