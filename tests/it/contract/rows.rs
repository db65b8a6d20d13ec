//! The contract's rows, and the check that each has a test of its name on every deployment.

use std::collections::BTreeSet;
use std::process::Command;

/// The rows, by section: the module of their tests, and the tests' names.
const ROWS: &[(&str, &str)] = &[
    (
        "conventions",
        "json_with_camel_case_keys ids_are_uuids_of_version_7 times_are_rfc_3339_in_utc_with_milliseconds \
         errors_have_one_shape_everywhere pagination_on_every_list idempotency_key x_request_id",
    ),
    (
        "errors",
        "status_400_validation_error status_401_unauthorized status_403_forbidden status_404_not_found \
         status_405_method_not_allowed status_409_conflict status_409_session_closed status_409_already_responded \
         status_409_already_settled status_409_idempotency_in_flight status_413_payload_too_large \
         status_415_unsupported_media_type status_422_idempotency_mismatch status_429_rate_limited \
         status_500_internal status_503_unavailable",
    ),
    (
        "principals",
        "agent provisioner human guest spaces_are_isolated key_permissions_include_the_lower_ones \
         keys_and_guest_tokens_are_shown_once_end_and_can_be_revoked jwt_of_own_accounts jwt_of_an_outside_issuer \
         deactivation_ends_live_connections",
    ),
    (
        "envelopes",
        "an_object_is_returned_unchanged a_string_is_json_of_an_envelope_or_a_ciphertext a_field_may_have_256_kib \
         schemes_plain_and_hpke_are_the_clients_own public_keys_are_a_directory",
    ),
    (
        "objects",
        "session message message_status_settles_once message_deadline_in_the_past_is_400 \
         message_expires_at_its_deadline participant a_session_without_participants_gets_every_human \
         participants_are_required_in_a_space_of_more_than_500 message_answerers message_outcome a_guest_name_is_unique \
         plain_text_rejects_control_characters",
    ),
    (
        "event_types",
        "event event_session_created event_session_updated event_session_closed event_session_archived \
         event_participant_added event_participant_removed event_participant_key_changed event_message_created \
         event_message_completed event_message_cancelled a_response_is_two_events_of_one_transaction",
    ),
    (
        "agent_sessions",
        "post_v1_agent_sessions get_v1_agent_sessions get_v1_agent_sessions_id patch_v1_agent_sessions_id \
         get_v1_agent_sessions_id_timeline post_v1_agent_sessions_id_close post_v1_agent_sessions_id_archive \
         post_v1_agent_sessions_id_participants get_v1_agent_sessions_id_participants \
         delete_v1_agent_sessions_id_participants_id post_v1_agent_sessions_id_guest_tokens \
         delete_v1_agent_sessions_id_guest_tokens_id post_v1_agent_sessions_id_typing \
         get_v1_agent_sessions_id_guest_tokens",
    ),
    (
        "agent_messages",
        "post_v1_agent_sessions_id_messages get_v1_agent_sessions_id_messages get_v1_agent_sessions_id_messages_id \
         get_v1_agent_sessions_id_messages_id_await get_v1_agent_sessions_id_await \
         post_v1_agent_sessions_id_messages_id_acknowledge get_v1_agent_answers \
         post_v1_agent_sessions_id_messages_id_cancel a_person_s_answer_settles_and_an_agent_s_reply_does_not",
    ),
    (
        "agent_directory",
        "get_v1_agent_me put_v1_agent_public_key get_v1_agent_sessions_id_keys get_v1_agent_humans \
         get_v1_agent_agents",
    ),
    (
        "manage_endpoints",
        "put_v1_manage_attestations_id post_v1_provision_agents post_v1_manage_keys get_v1_manage_keys \
         delete_v1_manage_keys_id v1_manage_agents v1_manage_humans post_v1_manage_humans_id_setup_link \
         v1_manage_spaces get_v1_manage_audit",
    ),
    (
        "human_endpoints",
        "get_v1_human_me put_v1_human_public_key get_v1_human_sessions_id_keys v1_human_key_backup get_v1_human_feed get_v1_human_sessions get_v1_human_sessions_id \
         get_v1_human_sessions_id_timeline get_v1_human_sessions_id_messages get_v1_human_sessions_id_participants \
         post_v1_human_sessions get_v1_human_agents post_v1_human_password v1_human_sign_ins post_v1_human_sessions_id_close \
         post_v1_human_sessions_id_messages post_v1_human_sessions_id_typing post_v1_human_sessions_id_read \
         a_guest_has_the_same_routes_and_sees_one_session a_get_never_settles_anything",
    ),
    (
        "long_poll",
        "timeout_of_0_to_55_seconds prefer_wait a_settled_message_is_returned_immediately a_settlement_ends_the_wait \
         a_timeout_does_not_change_the_message a_disconnected_client_frees_its_long_poll",
    ),
    (
        "socket",
        "credentials_in_headers credentials_in_the_subprotocol credentials_in_a_first_frame \
         credentials_never_in_the_url origin_must_be_the_hub_s_own_or_a_configured_one \
         id_is_a_string_or_a_number_and_is_echoed each_event_is_delivered_exactly_once \
         a_slow_consumer_loses_nothing_and_delays_no_other hello_is_the_first_frame",
    ),
    ("client_frames", "auth refresh subscribe subscribe_feed unsubscribe send typing read ping invalid_frames"),
    ("hub_frames", "event typing presence receipt unsubscribed goaway server_sent_events"),
    (
        "close_codes",
        "code_4400_bad_frames code_4401_not_authenticated code_4403_revoked code_4502_heartbeat_missed \
         code_4504_token_expired code_4508_no_auth_in_time code_4529_too_many_frames code_1001_draining \
         code_1009_frame_over_64_kib",
    ),
    ("operations", "livez readyz metrics openapi_json docs asyncapi_json web_chat sigterm"),
    (
        "command_line",
        "hiloop_serve hiloop_migrate hiloop_keys_create hiloop_humans_create hiloop_token hiloop_openapi hiloop_demo",
    ),
    (
        "settings",
        "hiloop_listen database_url hiloop_trusted_proxies hiloop_metrics_listen hiloop_public_url \
         hiloop_cors_origins hiloop_retention_days hiloop_grace_seconds hiloop_database_connections redis_url \
         hiloop_log every_setting_is_a_flag",
    ),
    ("settings_of_issuers", "hiloop_jwt_secret hiloop_jwks_url hiloop_jwt_issuer hiloop_jwt_audience hiloop_jwt_space"),
    (
        "settings_of_limits",
        "hiloop_rate_limit hiloop_connection_limit hiloop_sign_in_limit hiloop_max_body_bytes \
         hiloop_max_field_bytes hiloop_space_agents hiloop_space_humans hiloop_session_guests hiloop_space_bytes",
    ),
    (
        "interactions",
        "interaction post_v1_agent_interactions get_v1_agent_interactions get_v1_agent_interactions_id_await \
         post_v1_agent_interactions_id_cancel post_v1_agent_interactions_id_acknowledge \
         v1_agent_interactions_id_messages post_v1_agent_interactions_id_blocks get_v1_human_interactions \
         post_v1_human_interactions_id_respond event_message_acknowledged event_blocks_pushed \
         the_same_timeline_and_settling_rules",
    ),
];

/// What `on_every_deployment!` makes of each test.
const DEPLOYMENTS: &[&str] = &["sqlite", "postgres", "two_nodes"];

/// The names that this test program lists, as its users would see them.
fn listed(further: &[&str]) -> BTreeSet<String> {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args(["--list", "--format", "terse"]).args(further).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

#[test]
fn every_row_has_a_test_named_after_it() {
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for (section, names) in ROWS {
        for name in names.split_whitespace() {
            for deployment in DEPLOYMENTS {
                assert!(wanted.insert(format!("contract::{section}::{name}::{deployment}")), "{name} is listed twice");
            }
        }
    }
    let guard = "contract::rows::every_row_has_a_test_named_after_it";
    let mut found = listed(&["contract::"]);
    assert!(found.remove(guard), "{found:?}");
    let missing: Vec<_> = wanted.difference(&found).collect();
    assert!(missing.is_empty(), "rows without a test: {missing:#?}");
    let unknown: Vec<_> = found.difference(&wanted).collect();
    assert!(unknown.is_empty(), "tests that are no row: {unknown:#?}");
    let ignored = listed(&["contract::", "--ignored"]);
    assert!(ignored.is_empty(), "tests of rows must not be ignored: {ignored:?}");
}
