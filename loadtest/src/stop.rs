//! Why a run ends without a report, and the exit codes.

/// Deliveries were lost, duplicated or misordered, or the hub refused a request.
pub(crate) const EXIT_FAILED: u8 = 2;
/// The tester itself could not do its work.
pub(crate) const EXIT_TOOL: u8 = 1;
/// Everything was delivered, but an expectation of `--expect` was not met, or there was a regression.
pub(crate) const EXIT_MISSED: u8 = 3;
/// The command line cannot be carried out (`EX_USAGE` of sysexits).
pub(crate) const EXIT_USAGE: u8 = 64;

/// The reason why a run ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    #[error("{0}")]
    Usage(String),
    #[error("the hub failed: {0:#}")]
    Hub(anyhow::Error),
    #[error("{0:#}")]
    Tool(anyhow::Error),
}

impl Stop {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            Self::Hub(_) => EXIT_FAILED,
            Self::Tool(_) => EXIT_TOOL,
        }
    }
}
