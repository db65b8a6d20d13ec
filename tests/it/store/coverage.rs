//! The check that every method of the store's traits is called by this suite.

use std::collections::BTreeSet;

/// The methods that this suite tests. Add a new method of the traits together with its test.
const COVERED: &[&str] = &[
    // Directory
    "begin_directory",
    "ensure_space",
    "space_by_name",
    "spaces",
    "deactivate_space",
    "ensure_agent",
    "agent",
    "agent_by_name",
    "agents",
    "deactivate_agent",
    "create_human",
    "human",
    "human_by_address",
    "humans_by_address",
    "human_in_space",
    "members_named",
    "humans",
    "all_humans",
    "deactivate_human",
    "create_key",
    // PublicKeys
    "current_key",
    "put_key",
    "attest_key",
    "session_keys",
    "announcements",
    "sessions_to_announce",
    "note_announced",
    "rest_announcement",
    "end_announcement",
    "key_backup",
    "set_key_backup",
    "delete_key_backup",
    // DirectoryTx
    "count_agents",
    "count_humans",
    "hold_key",
    "claim_reply",
    "add_setup_token",
    "void_setup_tokens",
    "free_address",
    "audit",
    // Credentials
    "setting",
    "setting_or",
    "revoked_since",
    "guest_by_secret",
    "guests",
    "guest",
    // SignIns
    "add_sign_in",
    "rotate_refresh_token",
    "sign_ins",
    "has_sign_in",
    "end_sign_in",
    "end_sign_in_of",
    "end_all_sign_ins",
    "change_password",
    "human_of_setup_token",
    "choose_password",
    // ApiKeys
    "key_by_secret",
    "keys",
    "revoke_key",
    "note_uses",
    // ExternalIdentities
    "external_identity",
    "add_external_identity",
    "move_external_identity",
    "verify_address",
    "former_humans",
    // Sessions
    "session",
    "sessions",
    "sessions_of",
    "feed",
    "unlisted",
    "list_sessions",
    "participants",
    "member_ids",
    "space_bytes",
    "count_session_bytes",
    "mark_read",
    // Timelines
    "messages_after",
    "last_messages",
    "message",
    "head",
    "head_with_participant",
    "head_with_status",
    "events_after",
    "last_older",
    "last_seqs",
    "active_since",
    "due_messages",
    // Interactions
    "interaction_message",
    "interaction",
    "interactions",
    "interactions_of",
    // Retention
    "retire_session",
    "sweep_retired",
    // AuditLog
    "add_audit_entries",
    "audit_entries",
    "prune_audit",
    // Store
    "ping",
    "writes_fail",
    "try_write",
    "broken_connections",
    "held_elsewhere",
    "time",
    "pending_responses",
    "prune",
    "shrink_log",
    "begin",
    "write",
    "close",
    "writers",
    // WriteTx
    "load",
    "pending_messages",
    "participant",
    "participant_of",
    "announced_key",
    "count_guests",
    "apply",
    "commit",
    "first_message_after",
    "last_message_by",
    "messages_of",
    "participant_names",
    "unacknowledged",
];

#[test]
fn every_method_of_the_store_is_covered() {
    let declared: Vec<&str> = concat!(
        include_str!("../../../src/store/traits/api_keys.rs"),
        include_str!("../../../src/store/traits/audit_log.rs"),
        include_str!("../../../src/store/traits/credentials.rs"),
        include_str!("../../../src/store/traits/directory.rs"),
        include_str!("../../../src/store/traits/external_identities.rs"),
        include_str!("../../../src/store/traits/interactions.rs"),
        include_str!("../../../src/store/traits/public_keys.rs"),
        include_str!("../../../src/store/traits/retention.rs"),
        include_str!("../../../src/store/traits/sessions.rs"),
        include_str!("../../../src/store/traits/sign_ins.rs"),
        include_str!("../../../src/store/traits/store.rs"),
        include_str!("../../../src/store/traits/timelines.rs"),
        include_str!("../../../src/store/traits/write.rs"),
    )
    .lines()
    .filter_map(|line| line.strip_prefix("    async fn ").or_else(|| line.strip_prefix("    fn ")))
    .filter_map(|rest| rest.split('(').next())
    .collect();
    assert!(declared.len() > 50, "the traits were read: {declared:?}");
    let (declared, covered): (BTreeSet<_>, BTreeSet<_>) =
        (declared.into_iter().collect(), COVERED.iter().copied().collect());
    assert_eq!(declared.difference(&covered).collect::<Vec<_>>(), Vec::<&&str>::new(), "methods without a test");
    assert_eq!(covered.difference(&declared).collect::<Vec<_>>(), Vec::<&&str>::new(), "methods that do not exist");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/store");
    let files = std::fs::read_dir(folder).expect("the folder of this suite");
    let suite: String =
        files.map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("Rust source")).collect();
    for method in COVERED {
        assert!(suite.contains(&format!(".{method}(")), "{method} is listed but not called");
    }
}
