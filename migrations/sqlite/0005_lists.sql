-- Lists of sessions in their order, so that a page costs the same however long its list is. Expand step: nothing that
-- the version before reads or writes changes, and whatever it writes is noticed by `last_seq`.

-- The `seq` up to which the list entries of a session are right. Where it is not `last_seq`, whichever version wrote,
-- lists take the session from its own row.
ALTER TABLE sessions ADD COLUMN listed_seq INTEGER NOT NULL DEFAULT 0;
CREATE INDEX sessions_unlisted ON sessions (space_id, id) WHERE listed_seq <> last_seq;

-- One for each list in which a session stands: those of each agent and human who take part, and those of the space,
-- whose subject is the space. `class` says which list (src/store/listing.rs). A larger `urgency`, then `nearness`
-- (a deadline, negated), then `at`, then `session_id` stands first.
CREATE TABLE list_entries (
    space_id   BLOB NOT NULL,
    subject_id BLOB NOT NULL,
    class      INTEGER NOT NULL,
    urgency    INTEGER NOT NULL,
    nearness   INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    session_id BLOB NOT NULL,
    PRIMARY KEY (space_id, subject_id, class, urgency, nearness, at, session_id)
) WITHOUT ROWID;
CREATE INDEX list_entries_by_session ON list_entries (session_id, subject_id);

-- How many entries there are.
CREATE TABLE list_counts (
    space_id   BLOB NOT NULL,
    subject_id BLOB NOT NULL,
    class      INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (space_id, subject_id, class)
) WITHOUT ROWID;

CREATE TRIGGER list_entries_added AFTER INSERT ON list_entries BEGIN
    INSERT INTO list_counts (space_id, subject_id, class, count)
        VALUES (NEW.space_id, NEW.subject_id, NEW.class, 1)
        ON CONFLICT (space_id, subject_id, class) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER list_entries_deleted AFTER DELETE ON list_entries BEGIN
    UPDATE list_counts SET count = count - 1
        WHERE space_id = OLD.space_id AND subject_id = OLD.subject_id AND class = OLD.class;
END;

-- Retention, of the version before too.
CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions BEGIN
    DELETE FROM list_entries WHERE session_id = OLD.id;
END;

-- What one sender has written in a session.
CREATE INDEX messages_by_sender ON messages (session_id, sender_id, seq);
