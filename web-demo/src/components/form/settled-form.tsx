// A form that is settled: the values that were given, and what one had entered oneself and not sent.
import type { VNode } from "preact";
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import type { Content } from "@hiloop/sdk/chat";
import { AnsweringContext } from "../types";
import { type DraftPlace, drafts } from "./drafts";
import { check, keptEntries } from "./entries";
import type { Field } from "./fields";
import { GivenValues } from "./given-values";

interface Props {
  fields: readonly Field[];
  place: DraftPlace;
}

export function SettledForm({ fields, place }: Props): VNode {
  const { given } = useContext(AnsweringContext);
  return (
    <div class="form settled" data-testid="settled-form">
      {isDeclined(given) ? (
        <Declined reason={given?.text?.trim() ?? ""} />
      ) : (
        <GivenValues fields={fields} values={given?.values ?? {}} />
      )}
      {given !== undefined && <Unsent fields={fields} place={place} given={given?.values ?? null} />}
    </div>
  );
}

function Declined({ reason }: { reason: string }): VNode {
  return (
    <>
      <p class="form-note" data-testid="declined">
        Declined, without values{reason === "" ? "." : ":"}
      </p>
      {reason !== "" && (
        <blockquote class="given-reason" dir="auto" data-testid="given-reason">
          {reason}
        </blockquote>
      )}
    </>
  );
}

interface UnsentProps extends Props {
  given: Record<string, unknown> | null;
}

/** Somebody else was faster, or the time ran out: what was entered is not lost. */
function Unsent({ fields, place, given }: UnsentProps): VNode | null {
  const [discarded, setDiscarded] = useState(false);
  const own = useMemo(() => {
    const kept = drafts.load(place);
    return kept && check(fields, keptEntries(fields, kept)).values;
  }, [place.key]);
  const isSent = own !== null && given !== null && same(own, given);
  useEffect(() => {
    if (isSent) drafts.drop(place);
  }, [isSent, place.key]);
  if (!own || isSent || discarded || Object.keys(own).length === 0) return null;
  const discard = (): void => {
    drafts.drop(place);
    setDiscarded(true);
  };
  return (
    <details class="unsent" open data-testid="unsent">
      <summary>Your own entries, which were not sent</summary>
      <GivenValues fields={fields} values={own} />
      <button type="button" class="link" onClick={discard}>
        Discard them
      </button>
    </details>
  );
}

function same(one: Record<string, unknown>, other: Record<string, unknown>): boolean {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => JSON.stringify(one[name]) === JSON.stringify(other[name]));
}

function isDeclined(given: Content | null | undefined): boolean {
  return given?.outcome === "Rejected" && given.values === undefined;
}
