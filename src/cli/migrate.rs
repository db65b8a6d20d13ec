//! `hiloop migrate`: creates the store, or brings its schema up to date.

use super::{CliError, print};
use crate::config::DatabaseSettings;
use crate::store::open::open;
use clap::Args;

#[derive(Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    database: DatabaseSettings,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<(), CliError> {
        let store = open(&self.database.check()?).await?;
        store.close().await;
        print::line("the schema is up to date")
    }
}
