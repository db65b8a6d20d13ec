-- Expand step: the columns and tables below are added beside what version 3 reads and writes, so that a node of the
-- version before can go on running, and restart, on this schema. `memberships`, `humans.email`, `humans.public_key` and
-- the `public_key` and `key_id` columns of agents, humans and guests are read by that version alone.

-- A human belongs to one space. `address` is the e-mail address with ASCII letters in lower case, unique among the
-- active humans of a space. `email` stays unique over all spaces for the version before: where the address is taken
-- there, it holds `address#id`.
ALTER TABLE humans ADD COLUMN space_id UUID REFERENCES spaces (id);
ALTER TABLE humans ADD COLUMN address TEXT;
ALTER TABLE humans ADD COLUMN role TEXT NOT NULL DEFAULT 'Member';
-- Tokens without a sign-in that were issued before this time are void.
ALTER TABLE humans ADD COLUMN tokens_valid_from BIGINT;

-- Who an outside issuer's (iss, sub) is. `issuer` is empty where tokens name none.
CREATE TABLE outside_identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    human_id   UUID NOT NULL REFERENCES humans (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX outside_identities_by_human ON outside_identities (human_id);

-- A refresh family is a sign-in. It ends at `ends_at` whatever happens; null for one of the version before, which ends
-- 90 days after its `last_used_at` at the migration.
ALTER TABLE refresh_families ADD COLUMN created_at BIGINT;
ALTER TABLE refresh_families ADD COLUMN ends_at BIGINT;
ALTER TABLE refresh_families ADD COLUMN user_agent TEXT;

-- By which links that have ended are found.
CREATE INDEX setup_tokens_by_expiry ON setup_tokens (expires_at);

-- Who made a key or a guest token, as the JSON of an actor, and with which key; when it was last used, to the minute.
ALTER TABLE api_keys ADD COLUMN created_by TEXT;
ALTER TABLE api_keys ADD COLUMN created_by_key UUID;
ALTER TABLE api_keys ADD COLUMN last_used_at BIGINT;
CREATE INDEX api_keys_by_creator ON api_keys (created_by_key) WHERE created_by_key IS NOT NULL;
CREATE INDEX api_keys_by_agent ON api_keys (agent_id) WHERE agent_id IS NOT NULL;

ALTER TABLE guests ADD COLUMN created_by TEXT;
ALTER TABLE guests ADD COLUMN created_by_key UUID;
ALTER TABLE guests ADD COLUMN last_used_at BIGINT;
-- The agent whose questions the guest may answer; null for those of every agent.
ALTER TABLE guests ADD COLUMN answers_agent_id UUID;
CREATE INDEX guests_by_creator ON guests (created_by_key) WHERE created_by_key IS NOT NULL;

-- Who added the participant, as the JSON of an actor.
ALTER TABLE participants ADD COLUMN invited_by TEXT;

-- `answerers` is a JSON array of ids, or null for every human who takes part. `outcome` is null until the message is
-- completed; null on a completed one means 'Answered'.
ALTER TABLE messages ADD COLUMN answerers TEXT;
ALTER TABLE messages ADD COLUMN outcome TEXT;
ALTER TABLE messages ADD COLUMN acknowledged_seq BIGINT;
ALTER TABLE messages ADD COLUMN acknowledged_at BIGINT;
UPDATE messages SET
    acknowledged_seq = (SELECT i.acknowledged_seq FROM interactions i WHERE i.session_id = messages.session_id AND i.message_id = messages.id),
    acknowledged_at = (SELECT i.acknowledged_at FROM interactions i WHERE i.session_id = messages.session_id AND i.message_id = messages.id)
    WHERE id IN (SELECT message_id FROM interactions WHERE acknowledged_at IS NOT NULL);
-- Settled questions that their agent has not acknowledged, in the order in which they settled.
CREATE INDEX messages_unacknowledged ON messages (sender_id, settled_at, id)
    WHERE response_required AND settled_at IS NOT NULL AND acknowledged_at IS NULL;

-- What the version before acknowledges, for those who read it of messages.
CREATE FUNCTION interactions_acknowledge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE messages SET acknowledged_seq = NEW.acknowledged_seq, acknowledged_at = NEW.acknowledged_at
        WHERE id = NEW.message_id AND acknowledged_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER interactions_acknowledge AFTER UPDATE OF acknowledged_at ON interactions
    FOR EACH ROW EXECUTE FUNCTION interactions_acknowledge();

-- The event's type where the version before does not know it; `kind` then holds one that it does.
ALTER TABLE events ADD COLUMN type TEXT;
-- Who has left a session.
CREATE INDEX events_departures ON events (session_id, seq) WHERE kind = 'participant.removed';

-- Entries of public keys (end-to-end encryption), one for each change. The current one has no `replaced_at`. `body` is
-- the entry's JSON as it is returned. `created_at` grows from one entry of a principal to the next.
CREATE TABLE key_entries (
    id           UUID PRIMARY KEY,
    space_id     UUID NOT NULL REFERENCES spaces (id),
    principal_id UUID NOT NULL,
    key_id       TEXT NOT NULL,
    body         TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    replaced_at  BIGINT
);
CREATE UNIQUE INDEX key_entries_current ON key_entries (principal_id) WHERE replaced_at IS NULL;
CREATE INDEX key_entries_by_principal ON key_entries (principal_id, created_at);

-- Changes of key that are still to be announced in the principal's sessions above `after_session_id`.
CREATE TABLE key_announcements (
    id               UUID PRIMARY KEY,
    entry_id         UUID NOT NULL REFERENCES key_entries (id),
    principal_id     UUID NOT NULL,
    chained          BOOLEAN NOT NULL,
    after_session_id UUID,
    created_at       BIGINT NOT NULL
);
CREATE INDEX key_announcements_by_principal ON key_announcements (principal_id, created_at);

-- The `created_at` of the newest key entry of theirs that the session's timeline tells of: the one with which they
-- joined, or that of the last `participant.key_changed`.
ALTER TABLE participants ADD COLUMN told_key_at BIGINT;

-- One opaque object a human: the encrypted backup of their keys.
CREATE TABLE key_backups (
    human_id   UUID PRIMARY KEY REFERENCES humans (id),
    body       TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Security-relevant events, kept 400 days. `id` is a version 7 UUID, so that it sorts by time. `actor` and `target` are
-- JSON; nothing here is a secret.
CREATE TABLE audit (
    id         UUID PRIMARY KEY,
    space_id   UUID,
    at         BIGINT NOT NULL,
    event      TEXT NOT NULL,
    actor      TEXT,
    target     TEXT,
    origin     TEXT,
    request_id TEXT,
    outcome    TEXT NOT NULL
);
CREATE INDEX audit_by_space ON audit (space_id, id);
CREATE INDEX audit_by_time ON audit (at);

-- How many bytes of events a session holds; null for one that the version before has created.
ALTER TABLE sessions ADD COLUMN bytes BIGINT;

-- One human a space. The oldest membership keeps the account and its credentials; each further one becomes a human of
-- its own, without a password, who takes over the participations in that space.
CREATE TEMPORARY TABLE human_moves ON COMMIT DROP AS
    SELECT m.human_id AS old_id, m.space_id, m.created_at,
        CAST(lpad(to_hex(m.created_at), 12, '0') || '7' || substr(md5(random()::text || m.human_id::text || m.space_id::text), 1, 3)
            || '8' || substr(md5(random()::text || m.space_id::text || m.human_id::text), 1, 15) AS UUID) AS new_id
    FROM memberships m
    WHERE EXISTS (SELECT 1 FROM memberships o WHERE o.human_id = m.human_id
        AND (o.created_at < m.created_at OR (o.created_at = m.created_at AND o.space_id < m.space_id)));
INSERT INTO humans (id, email, name, created_at, space_id, address)
    SELECT v.new_id, h.email || '#' || v.new_id::text, h.name, v.created_at, v.space_id, h.email
    FROM human_moves v JOIN humans h ON h.id = v.old_id;
UPDATE participants SET principal_id = (SELECT v.new_id FROM human_moves v JOIN sessions s ON s.space_id = v.space_id
        WHERE v.old_id = participants.principal_id AND s.id = participants.session_id)
    WHERE EXISTS (SELECT 1 FROM human_moves v JOIN sessions s ON s.space_id = v.space_id
        WHERE v.old_id = participants.principal_id AND s.id = participants.session_id);
UPDATE sessions SET created_by_human_id = (SELECT v.new_id FROM human_moves v
        WHERE v.old_id = sessions.created_by_human_id AND v.space_id = sessions.space_id)
    WHERE EXISTS (SELECT 1 FROM human_moves v
        WHERE v.old_id = sessions.created_by_human_id AND v.space_id = sessions.space_id);
UPDATE memberships SET human_id = (SELECT v.new_id FROM human_moves v
        WHERE v.old_id = memberships.human_id AND v.space_id = memberships.space_id)
    WHERE EXISTS (SELECT 1 FROM human_moves v
        WHERE v.old_id = memberships.human_id AND v.space_id = memberships.space_id);
UPDATE humans SET address = email, space_id = (SELECT m.space_id FROM memberships m WHERE m.human_id = humans.id)
    WHERE space_id IS NULL;
CREATE UNIQUE INDEX humans_by_address ON humans (space_id, address) WHERE deactivated_at IS NULL;
CREATE INDEX humans_of_address ON humans (address, created_at) WHERE deactivated_at IS NULL;
CREATE INDEX humans_formerly_at ON humans (space_id, address) WHERE deactivated_at IS NOT NULL;
-- The human of the first start is an admin.
UPDATE humans SET role = 'Admin' WHERE address = 'owner@hiloop.local' AND deactivated_at IS NULL
    AND space_id = (SELECT id FROM spaces WHERE name = 'default');
UPDATE refresh_families SET created_at = last_used_at, ends_at = last_used_at + 7776000000;

-- What the version before does to memberships, for those who read `humans.space_id`: whoever joins a space without
-- having one belongs to it, and whoever leaves theirs is deactivated.
CREATE FUNCTION memberships_join() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE humans SET space_id = NEW.space_id, address = COALESCE(address, email)
        WHERE id = NEW.human_id AND (space_id IS NULL
            OR NOT EXISTS (SELECT 1 FROM memberships m WHERE m.human_id = NEW.human_id AND m.space_id = humans.space_id));
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_join AFTER INSERT ON memberships FOR EACH ROW EXECUTE FUNCTION memberships_join();
CREATE FUNCTION memberships_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE humans SET deactivated_at = CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)
        WHERE id = OLD.human_id AND space_id = OLD.space_id AND deactivated_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_leave AFTER DELETE ON memberships FOR EACH ROW EXECUTE FUNCTION memberships_leave();
