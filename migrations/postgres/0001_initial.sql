-- The whole schema. Times are milliseconds since the Unix epoch, ids are UUIDs, JSON is text.

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE spaces (
    id             UUID PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    created_at     BIGINT NOT NULL,
    deactivated_at BIGINT
);

CREATE TABLE agents (
    id             UUID PRIMARY KEY,
    space_id       UUID NOT NULL REFERENCES spaces (id),
    name           TEXT NOT NULL,
    description    TEXT,
    public_key     TEXT,
    key_id         TEXT,
    created_at     BIGINT NOT NULL,
    deactivated_at BIGINT,
    UNIQUE (space_id, name)
);

CREATE TABLE humans (
    id             UUID PRIMARY KEY,
    email          TEXT NOT NULL UNIQUE,
    name           TEXT NOT NULL,
    password_hash  TEXT,
    public_key     TEXT,
    key_id         TEXT,
    created_at     BIGINT NOT NULL,
    deactivated_at BIGINT
);

-- Which humans belong to which spaces.
CREATE TABLE memberships (
    space_id   UUID NOT NULL REFERENCES spaces (id),
    human_id   UUID NOT NULL REFERENCES humans (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (space_id, human_id)
);
CREATE INDEX memberships_by_human ON memberships (human_id, space_id);

-- Secrets are kept as their SHA-256 alone.
CREATE TABLE api_keys (
    id          UUID PRIMARY KEY,
    space_id    UUID NOT NULL REFERENCES spaces (id),
    secret_hash BYTEA NOT NULL UNIQUE,
    prefix      TEXT NOT NULL,
    permission  TEXT NOT NULL,
    agent_id    UUID REFERENCES agents (id),
    expires_at  BIGINT,
    revoked_at  BIGINT,
    created_at  BIGINT NOT NULL
);
CREATE INDEX api_keys_by_space ON api_keys (space_id, id);

-- What one sign-in goes on with. Whoever rotates or ends a family changes its row first, so that they take turns.
CREATE TABLE refresh_families (
    id           UUID PRIMARY KEY,
    human_id     UUID NOT NULL REFERENCES humans (id),
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX refresh_families_by_human ON refresh_families (human_id);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);

CREATE TABLE refresh_tokens (
    secret_hash BYTEA PRIMARY KEY,
    family_id   UUID NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id);

-- One-time links with which a human chooses a first password.
CREATE TABLE setup_tokens (
    secret_hash BYTEA PRIMARY KEY,
    human_id    UUID NOT NULL REFERENCES humans (id),
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT
);

CREATE TABLE sessions (
    id                  UUID PRIMARY KEY,
    space_id            UUID NOT NULL REFERENCES spaces (id),
    created_by_agent_id UUID,
    created_by_human_id UUID,
    title               TEXT,
    encrypted_title     TEXT,
    status              TEXT NOT NULL,
    priority            BIGINT NOT NULL,
    metadata            TEXT,
    first_seq           BIGINT NOT NULL,
    last_seq            BIGINT NOT NULL,
    message_count       BIGINT NOT NULL,
    pending_count       BIGINT NOT NULL,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    closed_at           BIGINT,
    archived_at         BIGINT
);
CREATE INDEX sessions_by_activity ON sessions (space_id, updated_at);
CREATE INDEX sessions_by_end ON sessions (closed_at) WHERE closed_at IS NOT NULL;

-- Sessions that retention has taken away and whose events and messages are still to be deleted.
CREATE TABLE retired_sessions (
    session_id UUID PRIMARY KEY
);

-- A guest is one with the token that was made for them; it opens one session.
CREATE TABLE guests (
    id          UUID PRIMARY KEY,
    space_id    UUID NOT NULL REFERENCES spaces (id),
    session_id  UUID NOT NULL REFERENCES sessions (id),
    name        TEXT NOT NULL,
    secret_hash BYTEA NOT NULL UNIQUE,
    public_key  TEXT,
    key_id      TEXT,
    expires_at  BIGINT NOT NULL,
    revoked_at  BIGINT,
    created_at  BIGINT NOT NULL
);
CREATE INDEX guests_by_session ON guests (session_id);

-- `read_count` is how many messages stand at or below `last_read_seq`, so that unread needs no counting.
CREATE TABLE participants (
    id            UUID PRIMARY KEY,
    session_id    UUID NOT NULL REFERENCES sessions (id),
    principal_id  UUID NOT NULL,
    kind          TEXT NOT NULL,
    role          TEXT NOT NULL,
    last_read_seq BIGINT NOT NULL,
    read_count    BIGINT NOT NULL,
    added_at      BIGINT NOT NULL,
    UNIQUE (session_id, principal_id)
);
CREATE INDEX participants_by_principal ON participants (principal_id, session_id);

-- The log. `body` is the event's JSON exactly as it goes out on the wire, `size` its length in bytes, `subject` the
-- message that it settled or the principal that it removed.
CREATE TABLE events (
    session_id UUID NOT NULL,
    seq        BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    at         BIGINT NOT NULL,
    pending    BIGINT NOT NULL,
    subject    UUID,
    size       BIGINT NOT NULL,
    body       TEXT NOT NULL,
    PRIMARY KEY (session_id, seq)
);

-- The blocks of an interaction are among its events.
CREATE INDEX events_blocks ON events (session_id, seq) WHERE kind = 'blocks.pushed';

-- What rules and lists need of a message; its content is in the event at (session_id, seq).
CREATE TABLE messages (
    id                  UUID PRIMARY KEY,
    session_id          UUID NOT NULL,
    seq                 BIGINT NOT NULL,
    ordinal             BIGINT NOT NULL,
    sender_id           UUID,
    response_required   BOOLEAN NOT NULL,
    status              TEXT NOT NULL,
    priority            BIGINT NOT NULL,
    deadline_at         BIGINT,
    in_reply_to         UUID,
    settled_seq         BIGINT,
    settled_at          BIGINT,
    settled_by          TEXT,
    response_message_id UUID,
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL
);
CREATE UNIQUE INDEX messages_by_ordinal ON messages (session_id, ordinal);
CREATE INDEX messages_by_seq ON messages (session_id, seq, ordinal);
CREATE INDEX messages_pending ON messages (session_id) WHERE status = 'Pending';
CREATE INDEX messages_due ON messages (deadline_at) WHERE status = 'Pending' AND deadline_at IS NOT NULL;

-- Which sessions are interactions: what they are called, the message that asks, and the event by which the agent took
-- the outcome.
CREATE TABLE interactions (
    session_id       UUID PRIMARY KEY REFERENCES sessions (id),
    message_id       UUID NOT NULL,
    kind             TEXT NOT NULL,
    acknowledged_seq BIGINT,
    acknowledged_at  BIGINT
);

-- What was revoked lately, key, agent, human, guest or space, so that every node finds what no message told it.
CREATE TABLE revocations (
    id      UUID PRIMARY KEY,
    subject UUID NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX revocations_by_time ON revocations (at);

-- First replies by Idempotency-Key, kept for 24 hours.
CREATE TABLE replies (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    status       BIGINT NOT NULL,
    kind         TEXT NOT NULL,
    body         TEXT,
    session_id   UUID,
    message_id   UUID,
    seq          BIGINT,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX replies_by_age ON replies (created_at);
