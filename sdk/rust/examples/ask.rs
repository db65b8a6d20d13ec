//! Asks people whether to deploy, and waits for the answer: `cargo run -p hiloop-sdk --example ask -- "Ship 4.2?"`
//!
//! `HILOOP_API_KEY` is an agent's key, `HILOOP_BASE_URL` the hub. The chat page does not encrypt yet: set
//! `HILOOP_ENCRYPTION=off` to answer there. Stop it and start it again while it waits: the same
//! text is the same question.

use hiloop_sdk::{Client, Question};
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "Ship 4.2 to production?".to_owned());
    let client = Client::from_env()?;
    let question = Question::approval(&text).key(&text).deadline_in(Duration::from_secs(3600));
    println!("asking on {}: {text}", client.base_url());
    let decision = client.ask(question).await?;
    match decision.respondent {
        Some(person) if decision.approved => println!("{} approved", person.name),
        Some(person) => println!("{} did not approve", person.name),
        None => println!("no answer: {:?}", decision.status),
    }
    Ok(())
}
