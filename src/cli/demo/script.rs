//! The script as a small state machine without a network: events of the conversation in, steps out.

use super::lines::{self, Draft};
use super::words::{AGAIN, DEPLOY, Remark, Verdict};
use hiloop_sdk::Content;

/// Something that happened in the conversation.
#[derive(Debug)]
pub(super) enum Input {
    /// The session is open.
    Begin,
    /// The answer to the last question.
    Answer(Content),
    /// The last question will get no answer.
    Lapsed(Lapse),
    /// A person wrote something that answers no question. `asked` is whether a question is open.
    Remark { name: String, content: Content, asked: bool },
}

/// Why a question gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lapse {
    Expired,
    Cancelled,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Say(Draft),
    /// Post the message and wait for the answer.
    Ask(Draft),
    /// Close the session: the conversation is over.
    Close,
}

/// The state: which answer the script waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scene {
    Approval,
    Reason,
    ReleaseNote,
    Again,
    Over,
}

pub(super) struct Script {
    scene: Scene,
}

impl Script {
    pub(super) fn new() -> Self {
        Self { scene: Scene::Approval }
    }

    pub(super) fn on(&mut self, input: Input) -> Vec<Step> {
        match input {
            Input::Begin => self.ask_for_approval(true),
            Input::Answer(content) => self.answered(content.said().as_deref()),
            Input::Lapsed(lapse) => {
                self.scene = Scene::Over;
                let line = if lapse == Lapse::Expired { lines::expired() } else { lines::cancelled() };
                vec![Step::Say(line), Step::Close]
            }
            Input::Remark { name, content, asked } => {
                let remark = content.said().map_or(Remark::Other, |text| Remark::of(&text));
                vec![Step::Say(lines::aside(remark, &name, asked.then(|| self.waiting())))]
            }
        }
    }

    fn answered(&mut self, said: Option<&str>) -> Vec<Step> {
        match self.scene {
            Scene::Approval => match DEPLOY.verdict(said.unwrap_or_default()) {
                Verdict::Yes => self.deploy(),
                Verdict::No => {
                    self.scene = Scene::Reason;
                    vec![Step::Ask(lines::ask_why())]
                }
                Verdict::Unclear => vec![Step::Ask(lines::approval_again())],
            },
            Scene::Reason | Scene::ReleaseNote => match said {
                None => vec![Step::Ask(lines::unreadable())],
                Some(text) => {
                    let line = match self.scene {
                        Scene::Reason => lines::reason_noted(text),
                        _ => lines::release_note(text),
                    };
                    self.scene = Scene::Again;
                    vec![Step::Say(line), Step::Ask(lines::closing_question(true))]
                }
            },
            Scene::Again => match AGAIN.verdict(said.unwrap_or_default()) {
                Verdict::Yes => self.ask_for_approval(false),
                Verdict::No => {
                    self.scene = Scene::Over;
                    vec![Step::Say(lines::thanks()), Step::Close]
                }
                Verdict::Unclear => vec![Step::Ask(lines::closing_question(false))],
            },
            Scene::Over => Vec::new(),
        }
    }

    fn ask_for_approval(&mut self, first: bool) -> Vec<Step> {
        self.scene = Scene::Approval;
        vec![Step::Ask(lines::approval(first))]
    }

    fn deploy(&mut self) -> Vec<Step> {
        self.scene = Scene::ReleaseNote;
        let mut steps = vec![Step::Say(lines::starting())];
        steps.extend(lines::stages().map(Step::Say));
        steps.push(Step::Say(lines::success()));
        steps.push(Step::Ask(lines::ask_release_note()));
        steps
    }

    /// A sentence that names the answer that the agent waits for.
    fn waiting(&self) -> &'static str {
        match self.scene {
            Scene::Approval => "The deployment waits for your decision above.",
            Scene::Reason | Scene::ReleaseNote => "My question above is still open; just reply to it.",
            Scene::Again => "I still wait for “Run it again” or “Done” above.",
            Scene::Over => "We are done here.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Input {
        Input::Answer(Content { text: Some(text.to_owned()), ..Content::default() })
    }

    fn action(action: &str) -> Input {
        Input::Answer(Content { action: Some(action.to_owned()), ..Content::default() })
    }

    fn remark(text: &str, asked: bool) -> Input {
        let content = Content { text: Some(text.to_owned()), ..Content::default() };
        Input::Remark { name: "Ada".to_owned(), content, asked }
    }

    fn begun() -> Script {
        let mut script = Script::new();
        assert_eq!(script.on(Input::Begin), [Step::Ask(lines::approval(true))]);
        script
    }

    /// The only question among the steps, which must be the last one.
    fn question(steps: &[Step]) -> &Draft {
        let asked = steps.iter().filter(|step| matches!(step, Step::Ask(_))).count();
        assert_eq!(asked, 1, "{steps:?}");
        match steps.last() {
            Some(Step::Ask(draft)) => draft,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_approval_deploys_and_asks_for_a_release_note() {
        let mut script = begun();
        let steps = script.on(action("approve"));
        assert_eq!(steps.len(), 7, "thanks, four stages, success, question");
        assert_eq!(question(&steps), &lines::ask_release_note());
        let steps = script.on(text("Twice the limit\nfor all"));
        assert!(matches!(&steps[0], Step::Say(draft) if draft.text.contains("> Twice the limit\n> for all")));
        assert_eq!(question(&steps), &lines::closing_question(true));
        assert_eq!(script.on(action("done")), [Step::Say(lines::thanks()), Step::Close]);
        assert_eq!(script.on(action("done")), []);
    }

    #[test]
    fn a_rejection_asks_why_and_does_not_deploy() {
        let mut script = begun();
        assert_eq!(script.on(action("reject")), [Step::Ask(lines::ask_why())]);
        let steps = script.on(text("It is Friday"));
        assert_eq!(steps.len(), 2);
        assert!(matches!(&steps[0], Step::Say(draft) if draft.text.contains("> It is Friday")));
        assert_eq!(question(&steps), &lines::closing_question(true));
    }

    #[test]
    fn an_answer_in_words_is_accepted_and_an_unclear_one_is_asked_again() {
        let mut script = begun();
        assert_eq!(script.on(text("Is it safe?")), [Step::Ask(lines::approval_again())]);
        assert_eq!(script.on(text("not ok")), [Step::Ask(lines::approval_again())]);
        assert_eq!(script.on(Input::Answer(Content::default())), [Step::Ask(lines::approval_again())]);
        assert_eq!(question(&script.on(text("OK, ship it"))), &lines::ask_release_note());
    }

    #[test]
    fn the_script_can_run_again_in_the_same_session() {
        let mut script = begun();
        script.on(text("no"));
        script.on(text("Friday"));
        assert_eq!(script.on(text("perhaps")), [Step::Ask(lines::closing_question(false))]);
        assert_eq!(script.on(action("again")), [Step::Ask(lines::approval(false))]);
        assert_eq!(question(&script.on(action("approve"))), &lines::ask_release_note());
    }

    #[test]
    fn an_empty_answer_is_asked_again() {
        let mut script = begun();
        script.on(action("approve"));
        assert_eq!(script.on(text("  ")), [Step::Ask(lines::unreadable())]);
        assert_eq!(question(&script.on(text("Faster"))), &lines::closing_question(true));
    }

    #[test]
    fn the_script_ends_without_an_answer() {
        for (lapse, line) in [(Lapse::Expired, lines::expired()), (Lapse::Cancelled, lines::cancelled())] {
            let mut script = begun();
            assert_eq!(script.on(Input::Lapsed(lapse)), [Step::Say(line), Step::Close]);
            assert_eq!(script.on(action("approve")), []);
        }
    }

    #[test]
    fn a_remark_gets_a_reply_and_does_not_change_the_state() {
        let mut script = begun();
        for words in ["hello", "yes", "What is this?", "thanks", "Lovely weather"] {
            for asked in [true, false] {
                let steps = script.on(remark(words, asked));
                assert!(matches!(steps.as_slice(), [Step::Say(_)]), "{steps:?}");
            }
        }
        assert_eq!(script.on(action("reject")), [Step::Ask(lines::ask_why())]);
    }
}
