//! How long an agent waits from a person's answer, before it is sealed, to the return of `ask`: through a real hub,
//! `latency EMAIL PASSWORD [ASKS]`. `HILOOP_API_KEY` is an agent's key, `HILOOP_BASE_URL` the hub.

use hiloop_sdk::testing::Person;
use hiloop_sdk::{Answer, Client, Question};
use std::time::{Duration, Instant};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (email, password) = arguments.first().zip(arguments.get(1)).ok_or("usage: latency EMAIL PASSWORD [ASKS]")?;
    let asks: usize = arguments.get(2).map_or(Ok(1000), |asks| asks.parse())?;
    let client = Client::from_env()?;
    let person = Person::sign_in_with_files(client.base_url(), email, password, None).await?;
    let mut waits = Vec::with_capacity(asks);
    for number in 0..asks {
        let question = Question::approval(format!("Question {number}?")).to([person.id()]);
        let asking = tokio::spawn({
            let client = client.clone();
            async move { client.ask(question).await.map(|decision| (decision, Instant::now())) }
        });
        let pending = person.next(&[], Duration::from_secs(60)).await?;
        let answered = Instant::now();
        person.answer(&pending, Answer::action("approve")).await?;
        let (decision, returned) = asking.await??;
        if !decision.approved {
            return Err("the answer was an approval".into());
        }
        waits.push(returned - answered);
        // What is listed stays short.
        client.archive(decision.message.session_id).await?;
    }
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() * percent / 100).min(waits.len() - 1)].as_secs_f64() * 1000.0;
    println!("answer given to ask returned: p50 {:.1} ms, p99 {:.1} ms, {asks} asks", at(50), at(99));
    Ok(())
}
