//! Tests of the command line.

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn options_may_precede_or_follow_the_scenario() {
    let cli = Cli::try_parse_from(["loadtest", "--pid", "7", "fanout", "--sources", "3"]).expect("valid");
    assert_eq!((cli.options.pid, cli.options.sources), (vec![7], 3));
}

#[test]
fn expectations_are_checked_and_name_the_part_that_is_wrong() {
    let cli = Cli::try_parse_from(["loadtest", "fanout", "--expect", "p99<5ms", "--expect", "deliveries>=9"]);
    assert_eq!(cli.expect("valid").options.expect.len(), 2);
    let wrong = Cli::try_parse_from(["loadtest", "fanout", "--expect", "p99<5parsecs"]).expect_err("no unit");
    let text = wrong.to_string();
    assert!(text.contains("--expect") && text.contains("unknown unit 'parsecs'"), "{text}");
}

#[test]
fn no_expectation_is_dropped() {
    let parse = |line: &str| Cli::from_line(line.split(' ').map(OsString::from));
    for line in
        ["loadtest --expect p99<5ms --expect=p50<1ms fanout", "loadtest fanout --expect p99<5ms --expect=p50<1ms"]
    {
        assert_eq!(parse(line).expect("valid").options.expect.len(), 2, "{line}");
    }
    for line in ["loadtest --expect p99<5ms fanout --expect p50<1ms", "loadtest --other-url=a fanout --other-url b"] {
        let error = parse(line).expect_err("one would be dropped");
        assert!(error.use_stderr() && error.to_string().contains("either before the scenario or after it"), "{error}");
    }
}

#[test]
fn a_tolerance_is_in_per_cent() {
    for (text, expected) in [("5%", Some(5.0)), ("2.5", Some(2.5)), ("-1%", None), ("much", None)] {
        let cli = Cli::try_parse_from(["loadtest", "fanout", &format!("--tolerance={text}")]);
        assert_eq!(cli.ok().map(|cli| cli.options.tolerance), expected, "{text}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for line in [
        ["loadtest", "fanout", "--rate", "0"],
        ["loadtest", "fanout", "--sockets", "0"],
        ["loadtest", "fanout", "--duration", "-1"],
        ["loadtest", "fanout", "--rate", "NaN"],
        ["loadtest", "slow", "--stalled", "101%"],
    ] {
        assert!(Cli::try_parse_from(line).is_err(), "{line:?}");
    }
}
