//! The people that the setting `HILOOP_ANSWERERS` fixes: with it, the model does not choose who answers its questions.

use super::args::is_person;

pub(super) const SETTING: &str = "HILOOP_ANSWERERS";

/// E-mail addresses or ids of people; everyone whom a question names, unless the setting has any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answerers(Vec<String>);

impl Answerers {
    /// # Errors
    /// What is wrong with the setting.
    pub(super) fn from_env() -> Result<Self, String> {
        match std::env::var(SETTING) {
            Ok(text) => Self::parse(&text),
            Err(std::env::VarError::NotPresent) => Ok(Self::default()),
            Err(std::env::VarError::NotUnicode(_)) => Err(format!("{SETTING} is not valid Unicode")),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let people: Vec<String> =
            text.split(',').map(str::trim).filter(|person| !person.is_empty()).map(ToOwned::to_owned).collect();
        // A setting that is there but names no one must not open the question to everyone.
        if people.is_empty() && !text.is_empty() {
            return Err(format!("{SETTING} names no person"));
        }
        match people.iter().find(|person| !is_person(person)) {
            None => Ok(Self(people)),
            Some(_) => Err(format!("{SETTING} must be e-mail addresses or ids of people, with commas between them")),
        }
    }

    pub(super) fn are_fixed(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whom a question goes to: those that an argument names, all of whom must be among the fixed ones; else these.
    ///
    /// # Errors
    /// The argument names somebody else.
    pub(super) fn asked(&self, argument: &str, given: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        let Some(given) = self.among(argument, given)? else { return Ok(self.are_fixed().then(|| self.0.clone())) };
        Ok(Some(given))
    }

    /// Those that an argument names, all of whom must be among the fixed ones.
    ///
    /// # Errors
    /// The argument names somebody else.
    pub(super) fn among(&self, argument: &str, given: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        let is_fixed = |person: &String| self.0.iter().any(|fixed| fixed.eq_ignore_ascii_case(person));
        if self.are_fixed() && given.iter().flatten().any(|person| !is_fixed(person)) {
            let fixed = self.0.join(", ");
            return Err(format!("'{argument}' may name only the people of this server's setting {SETTING}: {fixed}"));
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(people: &[&str]) -> Option<Vec<String>> {
        Some(people.iter().map(|person| (*person).to_owned()).collect())
    }

    #[test]
    fn without_the_setting_the_arguments_count() {
        let free = Answerers::parse("").expect("nothing is set");
        assert_eq!(free.asked("to", None), Ok(None));
        assert_eq!(free.asked("to", some(&["ann@example.org"])), Ok(some(&["ann@example.org"])));
    }

    #[test]
    fn with_the_setting_nobody_else_is_asked() {
        let fixed = Answerers::parse(" ann@example.org, Bob@example.org ,").expect("two people");
        assert_eq!(fixed.asked("to", None), Ok(some(&["ann@example.org", "Bob@example.org"])));
        assert_eq!(fixed.asked("to", some(&["bob@example.org"])), Ok(some(&["bob@example.org"])));
        assert_eq!(fixed.among("answerers", None), Ok(None));
        for people in [&["eve@example.org"][..], &["ann@example.org", "eve@example.org"]] {
            let problem = fixed.asked("to", some(people)).expect_err("somebody else");
            assert!(problem.contains("'to'") && problem.contains(SETTING), "{problem}");
        }
    }

    #[test]
    fn a_setting_without_people_is_refused() {
        for text in [" ", ",", "ann", "ann@example.org, bob"] {
            assert!(Answerers::parse(text).is_err_and(|problem| problem.starts_with(SETTING)), "{text}");
        }
    }
}
