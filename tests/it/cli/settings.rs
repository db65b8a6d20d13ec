//! Settings: flags, environment variables, and what a bad one prints.

use super::{FREE_PORT, failed, line, out, printed, run};
use crate::support::Client;
use crate::support::process::{Process, hiloop};
use std::fs;
use tempfile::tempdir;

#[test]
fn help_lists_every_setting_without_secret_values() {
    let folder = tempdir().expect("a folder");
    let (secret, password) = ("s3cr3t-".repeat(6), "pa55w0rd");
    let output = run(hiloop(folder.path())
        .args(["serve", "--help"])
        .env("HILOOP_JWT_SECRET", &secret)
        .env("DATABASE_URL", format!("postgres://hub:{password}@localhost/hub"))
        .env("REDIS_URL", format!("redis://:{password}@localhost")));
    assert!(output.status.success());
    let help = out(&output);
    for (setting, flag) in [
        ("HILOOP_LISTEN", "--listen"),
        ("DATABASE_URL", "--database-url"),
        ("REDIS_URL", "--redis-url"),
        ("HILOOP_JWT_SECRET", "--jwt-secret"),
        ("HILOOP_JWKS_URL", "--jwks-url"),
        ("HILOOP_JWT_ISSUER", "--jwt-issuer"),
        ("HILOOP_JWT_AUDIENCE", "--jwt-audience"),
        ("HILOOP_JWT_SPACE", "--jwt-space"),
        ("HILOOP_TRUSTED_PROXIES", "--trusted-proxies"),
        ("HILOOP_METRICS_LISTEN", "--metrics-listen"),
        ("HILOOP_PUBLIC_URL", "--public-url"),
        ("HILOOP_CORS_ORIGINS", "--cors-origins"),
        ("HILOOP_RATE_LIMIT", "--rate-limit"),
        ("HILOOP_CONNECTION_LIMIT", "--connection-limit"),
        ("HILOOP_SIGN_IN_LIMIT", "--sign-in-limit"),
        ("HILOOP_RETENTION_DAYS", "--retention-days"),
        ("HILOOP_LOG", "--log"),
        ("HILOOP_LOG_FORMAT", "--log-format"),
    ] {
        assert!(help.contains(setting) && help.contains(flag), "{setting} and {flag} in {help}");
    }
    assert!(!help.contains(&secret) && !help.contains(password), "{help}");
}

#[test]
fn an_invalid_setting_fails_the_start_with_one_line() {
    let folder = tempdir().expect("a folder");
    for (setting, value) in [
        ("HILOOP_LISTEN", "nowhere"),
        ("HILOOP_LISTEN", "127.0.0.1"),
        ("HILOOP_LISTEN", "127.0.0.1:99999"),
        ("DATABASE_URL", "mysql://localhost/hub"),
        ("DATABASE_URL", "hub.db"),
        ("DATABASE_URL", "sqlite:///dev/null/x/hub.db"),
        ("DATABASE_URL", "postgres://localhost:port/hub"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://localhost:port"),
        ("REDIS_URL", "redis+cluster://"),
        ("HILOOP_JWT_SECRET", "too short"),
        ("HILOOP_JWT_SPACE", "a\nb"),
        ("HILOOP_JWKS_URL", "ftp://issuer.example/keys"),
        ("HILOOP_TRUSTED_PROXIES", "127.0.0.1, proxy"),
        ("HILOOP_METRICS_LISTEN", "9090"),
        ("HILOOP_PUBLIC_URL", "hub.example.org"),
        ("HILOOP_CORS_ORIGINS", "https://a.example, b.example"),
        ("HILOOP_CORS_ORIGINS", "https://a.example/path"),
        ("HILOOP_RATE_LIMIT", "many"),
        ("HILOOP_RATE_LIMIT", "0/s"),
        ("HILOOP_RATE_LIMIT", "100"),
        ("HILOOP_CONNECTION_LIMIT", "0"),
        ("HILOOP_CONNECTION_LIMIT", "some"),
        ("HILOOP_SIGN_IN_LIMIT", "60/s"),
        ("HILOOP_SIGN_IN_LIMIT", "0/min"),
        ("HILOOP_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("HILOOP_LOG", "hiloop=loud"),
        ("HILOOP_LOG_FORMAT", "xml"),
        ("HILOOP_MAX_BODY_BYTES", "1 MiB"),
        ("HILOOP_MAX_FIELD_BYTES", "-1"),
        ("HILOOP_GRACE_SECONDS", "0"),
        ("HILOOP_RETENTION_DAYS", "0"),
        ("HILOOP_RETENTION_DAYS", "a month"),
    ] {
        let output = run(hiloop(folder.path()).env("HILOOP_LISTEN", FREE_PORT).env(setting, value));
        failed(&output, setting);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing was made");
}

/// Composing tools pass on what is not set as an empty value.
#[tokio::test]
async fn an_empty_value_counts_as_unset() {
    let folder = tempdir().expect("a folder");
    let mut command = hiloop(folder.path());
    for setting in [
        "REDIS_URL",
        "HILOOP_JWT_SECRET",
        "HILOOP_JWKS_URL",
        "HILOOP_JWT_ISSUER",
        "HILOOP_JWT_AUDIENCE",
        "HILOOP_JWT_SPACE",
        "HILOOP_METRICS_LISTEN",
        "HILOOP_PUBLIC_URL",
        "HILOOP_SIGN_IN_LIMIT",
        "HILOOP_TRUSTED_PROXIES",
        "HILOOP_CORS_ORIGINS",
    ] {
        command.env(setting, "");
    }
    let hub = Process::spawn(command.env("HILOOP_LISTEN", FREE_PORT));
    assert!(!hub.output.contains("metrics at"), "{}", hub.output);
    assert_eq!(printed(&hub, "chat").trim_end_matches('/'), hub.base);
    let email = printed(&hub, "e-mail").to_owned();
    let token = run(hiloop(folder.path()).env("HILOOP_JWT_ISSUER", "").args(["token", "--email", &email]));
    let token = format!("Bearer {}", line(&token));
    Client::anonymous(&hub.base).with("authorization", &token).get("/v1/human/me").await.expect(200);
}
