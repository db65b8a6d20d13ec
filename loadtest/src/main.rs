//! `loadtest`: a black-box load tester for Hiloop hubs.

mod cli;
mod client;
mod durable_floor;
mod fleet;
mod floor;
mod latency;
mod ledger;
mod live;
mod long_polls;
mod machine;
mod meter;
mod payload;
mod problems;
mod proc_stat;
mod progress;
mod report;
mod scenario;
mod schedule;
mod series;
mod simulate;
mod stop;
mod threshold;

use std::{path::Path, process::ExitCode};

use tokio::runtime::{Builder, Runtime};

use crate::{
    cli::{Cli, Options},
    report::{Baseline, Report},
    stop::{EXIT_USAGE, Stop},
};

fn main() -> ExitCode {
    let cli = match Cli::from_line(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_USAGE } else { 0 };
            // There is no output if the terminal is closed.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    if cli.options.worker_part.is_some() {
        return work(cli.options);
    }
    match run(cli) {
        Ok(report) => {
            for error in report.threshold_errors() {
                eprintln!("loadtest: {error}");
            }
            ExitCode::from(report.exit_code())
        }
        Err(stop) => {
            eprintln!("loadtest: {stop:#}");
            ExitCode::from(stop.exit_code())
        }
    }
}

/// Opens sockets for another process of the tester.
fn work(options: Options) -> ExitCode {
    progress::mute();
    let worked = build_runtime(&options).and_then(|runtime| {
        let worked = runtime.block_on(scenario::work(options));
        runtime.shutdown_background();
        worked
    });
    match worked {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("loadtest: a worker: {stop:#}");
            ExitCode::from(stop.exit_code())
        }
    }
}

fn run(mut cli: Cli) -> Result<Report, Stop> {
    let baseline = baseline(&cli)?;
    let runtime = build_runtime(&cli.options)?;
    let json = cli.options.json.clone();
    let html = cli.options.html.clone();
    let markdown = cli.scenario.markdown().map(Path::to_path_buf);
    let (tolerance, fail) = (cli.options.tolerance, cli.options.fail_on_regression);
    let expected = std::mem::take(&mut cli.options.expect);
    let mut report = runtime.block_on(scenario::run(cli))?;
    runtime.shutdown_background();
    report.expect(&expected);
    if let Some(baseline) = baseline {
        report.compare_with(baseline, tolerance, fail);
    }
    print!("{}", report.table());
    if let Some(path) = json {
        report.write_json(&path).map_err(Stop::Tool)?;
    }
    if let Some(path) = html {
        report.write_html(&path).map_err(Stop::Tool)?;
    }
    if let Some(path) = markdown {
        report.write_markdown(&path).map_err(Stop::Tool)?;
    }
    Ok(report)
}

/// The earlier run to compare with, read before this one starts.
fn baseline(cli: &Cli) -> Result<Option<Baseline>, Stop> {
    let Some(path) = &cli.options.baseline else {
        return match cli.options.fail_on_regression {
            true => Err(Stop::Usage("--fail-on-regression needs --baseline".to_owned())),
            false => Ok(None),
        };
    };
    Baseline::load(path, cli.scenario.name()).map(Some)
}

fn build_runtime(options: &Options) -> Result<Runtime, Stop> {
    // On one thread no task wakes another thread, which costs least on a machine shared with the hub.
    let mut builder = match options.threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder
        .worker_threads(options.threads)
        .enable_all()
        .build()
        .map_err(|error| Stop::Tool(anyhow::Error::new(error).context("starting the runtime")))
}
