-- Expand step: the columns and tables below are added beside what version 3 reads and writes, so that a node of the
-- version before can go on running, and restart, on this schema. `memberships`, `humans.email`, `humans.public_key` and
-- the `public_key` and `key_id` columns of agents, humans and guests are read by that version alone.

-- A human belongs to one space. `address` is the e-mail address with ASCII letters in lower case, unique among the
-- active humans of a space. `email` stays unique over all spaces for the version before: where the address is taken
-- there, it holds `address#id`.
ALTER TABLE humans ADD COLUMN space_id BLOB REFERENCES spaces (id);
ALTER TABLE humans ADD COLUMN address TEXT;
ALTER TABLE humans ADD COLUMN role TEXT NOT NULL DEFAULT 'Member';
-- Tokens without a sign-in that were issued before this time are void.
ALTER TABLE humans ADD COLUMN tokens_valid_from INTEGER;

-- Who an outside issuer's (iss, sub) is. `issuer` is empty where tokens name none.
CREATE TABLE outside_identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    human_id   BLOB NOT NULL REFERENCES humans (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX outside_identities_by_human ON outside_identities (human_id);

-- A refresh family is a sign-in. It ends at `ends_at` whatever happens; null for one of the version before, which ends
-- 90 days after its `last_used_at` at the migration.
ALTER TABLE refresh_families ADD COLUMN created_at INTEGER;
ALTER TABLE refresh_families ADD COLUMN ends_at INTEGER;
ALTER TABLE refresh_families ADD COLUMN user_agent TEXT;

-- By which links that have ended are found.
CREATE INDEX setup_tokens_by_expiry ON setup_tokens (expires_at);

-- Who made a key or a guest token, as the JSON of an actor, and with which key; when it was last used, to the minute.
ALTER TABLE api_keys ADD COLUMN created_by TEXT;
ALTER TABLE api_keys ADD COLUMN created_by_key BLOB;
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;
CREATE INDEX api_keys_by_creator ON api_keys (created_by_key) WHERE created_by_key IS NOT NULL;
CREATE INDEX api_keys_by_agent ON api_keys (agent_id) WHERE agent_id IS NOT NULL;

ALTER TABLE guests ADD COLUMN created_by TEXT;
ALTER TABLE guests ADD COLUMN created_by_key BLOB;
ALTER TABLE guests ADD COLUMN last_used_at INTEGER;
-- The agent whose questions the guest may answer; null for those of every agent.
ALTER TABLE guests ADD COLUMN answers_agent_id BLOB;
CREATE INDEX guests_by_creator ON guests (created_by_key) WHERE created_by_key IS NOT NULL;

-- Who added the participant, as the JSON of an actor.
ALTER TABLE participants ADD COLUMN invited_by TEXT;

-- `answerers` is a JSON array of ids, or null for every human who takes part. `outcome` is null until the message is
-- completed; null on a completed one means 'Answered'.
ALTER TABLE messages ADD COLUMN answerers TEXT;
ALTER TABLE messages ADD COLUMN outcome TEXT;
ALTER TABLE messages ADD COLUMN acknowledged_seq INTEGER;
ALTER TABLE messages ADD COLUMN acknowledged_at INTEGER;
UPDATE messages SET
    acknowledged_seq = (SELECT i.acknowledged_seq FROM interactions i WHERE i.session_id = messages.session_id AND i.message_id = messages.id),
    acknowledged_at = (SELECT i.acknowledged_at FROM interactions i WHERE i.session_id = messages.session_id AND i.message_id = messages.id)
    WHERE id IN (SELECT message_id FROM interactions WHERE acknowledged_at IS NOT NULL);
-- Settled questions that their agent has not acknowledged, in the order in which they settled.
CREATE INDEX messages_unacknowledged ON messages (sender_id, settled_at, id)
    WHERE response_required AND settled_at IS NOT NULL AND acknowledged_at IS NULL;

-- What the version before acknowledges, for those who read it of messages.
CREATE TRIGGER interactions_acknowledge AFTER UPDATE OF acknowledged_at ON interactions BEGIN
    UPDATE messages SET acknowledged_seq = NEW.acknowledged_seq, acknowledged_at = NEW.acknowledged_at
        WHERE id = NEW.message_id AND acknowledged_at IS NULL;
END;

-- The event's type where the version before does not know it; `kind` then holds one that it does.
ALTER TABLE events ADD COLUMN type TEXT;
-- Who has left a session.
CREATE INDEX events_departures ON events (session_id, seq) WHERE kind = 'participant.removed';

-- Entries of public keys (end-to-end encryption), one for each change. The current one has no `replaced_at`. `body` is
-- the entry's JSON as it is returned. `created_at` grows from one entry of a principal to the next.
CREATE TABLE key_entries (
    id           BLOB PRIMARY KEY,
    space_id     BLOB NOT NULL REFERENCES spaces (id),
    principal_id BLOB NOT NULL,
    key_id       TEXT NOT NULL,
    body         TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    replaced_at  INTEGER
);
CREATE UNIQUE INDEX key_entries_current ON key_entries (principal_id) WHERE replaced_at IS NULL;
CREATE INDEX key_entries_by_principal ON key_entries (principal_id, created_at);

-- Changes of key that are still to be announced in the principal's sessions above `after_session_id`.
CREATE TABLE key_announcements (
    id               BLOB PRIMARY KEY,
    entry_id         BLOB NOT NULL REFERENCES key_entries (id),
    principal_id     BLOB NOT NULL,
    chained          BOOLEAN NOT NULL,
    after_session_id BLOB,
    created_at       INTEGER NOT NULL
);
CREATE INDEX key_announcements_by_principal ON key_announcements (principal_id, created_at);

-- The `created_at` of the newest key entry of theirs that the session's timeline tells of: the one with which they
-- joined, or that of the last `participant.key_changed`.
ALTER TABLE participants ADD COLUMN told_key_at INTEGER;

-- One opaque object a human: the encrypted backup of their keys.
CREATE TABLE key_backups (
    human_id   BLOB PRIMARY KEY REFERENCES humans (id),
    body       TEXT NOT NULL,
    updated_at INTEGER NOT NULL
);

-- Security-relevant events, kept 400 days. `id` is a version 7 UUID, so that it sorts by time. `actor` and `target` are
-- JSON; nothing here is a secret.
CREATE TABLE audit (
    id         BLOB PRIMARY KEY,
    space_id   BLOB,
    at         INTEGER NOT NULL,
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
ALTER TABLE sessions ADD COLUMN bytes INTEGER;

-- One human a space. The oldest membership keeps the account and its credentials; each further one becomes a human of
-- its own, without a password, who takes over the participations in that space.
CREATE TEMPORARY TABLE human_moves AS
    SELECT m.human_id AS old_id, m.space_id, m.created_at,
        unhex(printf('%012x', m.created_at) || '7' || substr(hex(randomblob(2)), 1, 3) || '8' || substr(hex(randomblob(8)), 1, 15)) AS new_id
    FROM memberships m
    WHERE EXISTS (SELECT 1 FROM memberships o WHERE o.human_id = m.human_id
        AND (o.created_at < m.created_at OR (o.created_at = m.created_at AND o.space_id < m.space_id)));
INSERT INTO humans (id, email, name, created_at, space_id, address)
    SELECT v.new_id, h.email || '#' || lower(hex(v.new_id)), h.name, v.created_at, v.space_id, h.email
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

DROP TABLE human_moves;

-- What the version before does to memberships, for those who read `humans.space_id`: whoever joins a space without
-- having one belongs to it, and whoever leaves theirs is deactivated.
CREATE TRIGGER memberships_join AFTER INSERT ON memberships BEGIN
    UPDATE humans SET space_id = NEW.space_id, address = COALESCE(address, email)
        WHERE id = NEW.human_id AND (space_id IS NULL
            OR NOT EXISTS (SELECT 1 FROM memberships m WHERE m.human_id = NEW.human_id AND m.space_id = humans.space_id));
END;
CREATE TRIGGER memberships_leave AFTER DELETE ON memberships BEGIN
    UPDATE humans SET deactivated_at = CAST(strftime('%s', 'now') AS INTEGER) * 1000
        WHERE id = OLD.human_id AND space_id = OLD.space_id AND deactivated_at IS NULL;
END;
