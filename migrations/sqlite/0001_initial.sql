-- The whole schema. Times are milliseconds since the Unix epoch, ids are UUIDs, JSON is text.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE spaces (
    id             BLOB PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    created_at     INTEGER NOT NULL,
    deactivated_at INTEGER
);

CREATE TABLE agents (
    id             BLOB PRIMARY KEY,
    space_id       BLOB NOT NULL REFERENCES spaces (id),
    name           TEXT NOT NULL,
    description    TEXT,
    public_key     TEXT,
    key_id         TEXT,
    created_at     INTEGER NOT NULL,
    deactivated_at INTEGER,
    UNIQUE (space_id, name)
);

CREATE TABLE humans (
    id             BLOB PRIMARY KEY,
    email          TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    password_hash  TEXT,
    public_key     TEXT,
    key_id         TEXT,
    created_at     INTEGER NOT NULL,
    deactivated_at INTEGER
);

-- Which humans belong to which spaces.
CREATE TABLE memberships (
    space_id   BLOB NOT NULL REFERENCES spaces (id),
    human_id   BLOB NOT NULL REFERENCES humans (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (space_id, human_id)
);
CREATE INDEX memberships_by_human ON memberships (human_id, space_id);

-- Secrets are kept as their SHA-256 alone.
CREATE TABLE api_keys (
    id          BLOB PRIMARY KEY,
    space_id    BLOB NOT NULL REFERENCES spaces (id),
    secret_hash BLOB NOT NULL UNIQUE,
    prefix      TEXT NOT NULL,
    permission  TEXT NOT NULL,
    agent_id    BLOB REFERENCES agents (id),
    expires_at  INTEGER,
    revoked_at  INTEGER,
    created_at  INTEGER NOT NULL
);
CREATE INDEX api_keys_by_space ON api_keys (space_id, id);

-- What one sign-in goes on with. Whoever rotates or ends a family changes its row first, so that they take turns.
CREATE TABLE refresh_families (
    id           BLOB PRIMARY KEY,
    human_id     BLOB NOT NULL REFERENCES humans (id),
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
);
CREATE INDEX refresh_families_by_human ON refresh_families (human_id);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);

CREATE TABLE refresh_tokens (
    secret_hash BLOB PRIMARY KEY,
    family_id   BLOB NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id);

-- One-time links with which a human chooses a first password.
CREATE TABLE setup_tokens (
    secret_hash BLOB PRIMARY KEY,
    human_id    BLOB NOT NULL REFERENCES humans (id),
    expires_at  INTEGER NOT NULL,
    used_at     INTEGER
);

CREATE TABLE sessions (
    id                  BLOB PRIMARY KEY,
    space_id            BLOB NOT NULL REFERENCES spaces (id),
    created_by_agent_id BLOB,
    created_by_human_id BLOB,
    title               TEXT,
    encrypted_title     TEXT,
    status              TEXT NOT NULL,
    priority            INTEGER NOT NULL,
    metadata            TEXT,
    first_seq           INTEGER NOT NULL,
    last_seq            INTEGER NOT NULL,
    message_count       INTEGER NOT NULL,
    pending_count       INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    closed_at           INTEGER,
    archived_at         INTEGER
);
CREATE INDEX sessions_by_activity ON sessions (space_id, updated_at);
CREATE INDEX sessions_by_end ON sessions (closed_at) WHERE closed_at IS NOT NULL;

-- Sessions that retention has taken away and whose events and messages are still to be deleted.
CREATE TABLE retired_sessions (
    session_id BLOB PRIMARY KEY
);

-- A guest is one with the token that was made for them; it opens one session.
CREATE TABLE guests (
    id          BLOB PRIMARY KEY,
    space_id    BLOB NOT NULL REFERENCES spaces (id),
    session_id  BLOB NOT NULL REFERENCES sessions (id),
    name        TEXT NOT NULL,
    secret_hash BLOB NOT NULL UNIQUE,
    public_key  TEXT,
    key_id      TEXT,
    expires_at  INTEGER NOT NULL,
    revoked_at  INTEGER,
    created_at  INTEGER NOT NULL
);
CREATE INDEX guests_by_session ON guests (session_id);

-- `read_count` is how many messages stand at or below `last_read_seq`, so that unread needs no counting.
CREATE TABLE participants (
    id            BLOB PRIMARY KEY,
    session_id    BLOB NOT NULL REFERENCES sessions (id),
    principal_id  BLOB NOT NULL,
    kind          TEXT NOT NULL,
    role          TEXT NOT NULL,
    last_read_seq INTEGER NOT NULL,
    read_count    INTEGER NOT NULL,
    added_at      INTEGER NOT NULL,
    UNIQUE (session_id, principal_id)
);
CREATE INDEX participants_by_principal ON participants (principal_id, session_id);

-- The log. `body` is the event's JSON exactly as it goes out on the wire, `size` its length in bytes, `subject` the
-- message that it settled or the principal that it removed.
CREATE TABLE events (
    session_id BLOB NOT NULL,
    seq        INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    at         INTEGER NOT NULL,
    pending    INTEGER NOT NULL,
    subject    BLOB,
    size       INTEGER NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (session_id, seq)
);

-- The blocks of an interaction are among its events.
CREATE INDEX events_blocks ON events (session_id, seq) WHERE kind = 'blocks.pushed';

-- What rules and lists need of a message; its content is in the event at (session_id, seq).
CREATE TABLE messages (
    id                  BLOB PRIMARY KEY,
    session_id          BLOB NOT NULL,
    seq                 INTEGER NOT NULL,
    ordinal             INTEGER NOT NULL,
    sender_id           BLOB,
    response_required   BOOLEAN NOT NULL,
    status              TEXT NOT NULL,
    priority            INTEGER NOT NULL,
    deadline_at         INTEGER,
    in_reply_to         BLOB,
    settled_seq         INTEGER,
    settled_at          INTEGER,
    settled_by          TEXT,
    response_message_id BLOB,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL
);
CREATE UNIQUE INDEX messages_by_ordinal ON messages (session_id, ordinal);
CREATE INDEX messages_by_seq ON messages (session_id, seq, ordinal);
CREATE INDEX messages_pending ON messages (session_id) WHERE status = 'Pending';
CREATE INDEX messages_due ON messages (deadline_at) WHERE status = 'Pending' AND deadline_at IS NOT NULL;

-- Which sessions are interactions: what they are called, the message that asks, and the event by which the agent took
-- the outcome.
CREATE TABLE interactions (
    session_id       BLOB PRIMARY KEY REFERENCES sessions (id),
    message_id       BLOB NOT NULL,
    kind             TEXT NOT NULL,
    acknowledged_seq INTEGER,
    acknowledged_at  INTEGER
);

-- What was revoked lately, key, agent, human, guest or space, so that every node finds what no message told it.
CREATE TABLE revocations (
    id      BLOB PRIMARY KEY,
    subject BLOB NOT NULL,
    at      INTEGER NOT NULL
);
CREATE INDEX revocations_by_time ON revocations (at);

-- First replies by Idempotency-Key, kept for 24 hours.
CREATE TABLE replies (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status       INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    body         TEXT,
    session_id   BLOB,
    message_id   BLOB,
    seq          INTEGER,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX replies_by_age ON replies (created_at);
