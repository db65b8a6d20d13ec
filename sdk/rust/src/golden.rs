//! What a question seals, the ids of its key, and the files of notes: the same in every language, so that an agent may
//! change it.

use crate::e2e::SecretKeys;
use crate::e2e::folder::file_name;
use crate::e2e::notes::Notes;
use crate::key::QuestionKey;
use crate::question::Question;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use uuid::Uuid;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/questions.json")).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn id(value: &Value) -> Uuid {
    text(value).parse().expect("an id")
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

#[test]
fn a_question_seals_the_same() {
    let golden = golden();
    let mut checked = 0;
    for case in list(&golden["questions"]) {
        let ask = &case["ask"];
        let mut question = Question::approval(text(&ask["title"]));
        if let Some(text) = ask["text"].as_str() {
            question = question.with_text(text);
        }
        if let Some(choices) = ask["choices"].as_array() {
            // Buttons with actions are components in this language.
            let Some(labels) = choices.iter().map(Value::as_str).collect::<Option<Vec<_>>>() else { continue };
            question = question.choices(labels);
        }
        if !ask["form"].is_null() {
            question = question.form(ask["form"].clone());
        }
        if !ask["components"].is_null() {
            question = question.components(ask["components"].clone());
        }
        // The order of members, too.
        let plain = question.to_message().plaintext(case["mark"].as_str());
        assert_eq!(plain.to_string(), case["plain"].to_string(), "{}", case["name"]);
        checked += 1;
    }
    assert_eq!(checked, list(&golden["questions"]).len() - 1);
}

#[test]
fn a_key_gives_the_same_ids() {
    for case in list(&golden()["keys"]) {
        let (agent, key) = (id(&case["agentId"]), text(&case["key"]));
        let session = case["session"].as_str().map(|session| session.parse().expect("an id"));
        let key = match case["secretKey"].as_str() {
            Some(secret) => QuestionKey::secret(&SecretKeys::from_text(secret).expect("a key"), agent, session, key),
            None => QuestionKey::open(agent, session, key),
        };
        assert_eq!(
            (key.mark().as_str(), key.idempotency_key().as_str()),
            (text(&case["mark"]), text(&case["idempotencyKey"]))
        );
        let sessions: Vec<Uuid> = key.sessions(case["now"].as_i64().expect("a time")).collect();
        assert_eq!(sessions, list(&case["sessions"]).iter().map(id).collect::<Vec<_>>());
    }
}

/// The files below a folder, by their path.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").to_str().expect("a text").to_owned();
                found.insert(name, fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    found
}

#[test]
fn notes_have_the_same_files() {
    let golden = golden();
    let (hub, principal) = (text(&golden["files"]["hub"]), id(&golden["files"]["principalId"]));
    assert_eq!(file_name(hub, principal), text(&golden["files"]["name"]));
    let notes = &golden["notes"];
    let expected: BTreeMap<String, String> = serde_json::from_value(notes["files"].clone()).expect("files");
    let digest = |value: &Value| text(value).parse().expect("a digest");
    let (question, answer) = (&notes["question"], &notes["answer"]);
    let (message, session, asked) = (id(&question["message"]), id(&question["session"]), digest(&question["digest"]));
    let (answered, at) = (digest(&answer["digest"]), text(&answer["at"]).parse().expect("a time"));
    let (address, person) = (text(&notes["person"]["address"]), id(&notes["person"]["id"]));
    let (key, space) = (text(&notes["space"]["key"]).parse().expect("a key"), id(&notes["space"]["id"]));
    // Written here, and then as another language has written them.
    for is_written in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, content) in expected.iter().filter(|_| is_written) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, content).expect("it is written");
        }
        let notes = Notes::in_folder(folder.path(), hub, principal);
        assert!(notes.is_question(message, session, asked).expect("it is kept"));
        assert_eq!(notes.first_seen(answered, at).expect("it is kept"), at);
        assert_eq!(notes.person(address, person).expect("it is kept"), person);
        assert_eq!(notes.space(&key, space).expect("it is kept"), space);
        assert_eq!(files(folder.path()), expected);
        assert!(!notes.is_question(message, session, answered).expect("it is read"));
        assert!(!notes.is_question(space, session, asked).expect("it is read"));
        assert_eq!(notes.person(&address.to_uppercase(), space).expect("it is read"), person);
        assert_eq!(notes.space(&key, person).expect("it is read"), space);
        assert_eq!(notes.seen(answered).expect("it is read"), Some(at));
        assert_eq!(files(folder.path()), expected, "a lie is not noted");
    }
}
