-- Lists of sessions in their order, so that a page costs the same however long its list is. Expand step: nothing that
-- the version before reads or writes changes, and whatever it writes is noticed by `last_seq`.

-- The `seq` up to which the list entries of a session are right. Where it is not `last_seq`, whichever version wrote,
-- lists take the session from its own row.
ALTER TABLE sessions ADD COLUMN listed_seq BIGINT NOT NULL DEFAULT 0;
CREATE INDEX sessions_unlisted ON sessions (space_id, id) WHERE listed_seq <> last_seq;

-- One for each list in which a session stands: those of each agent and human who take part, and those of the space,
-- whose subject is the space. `class` says which list (src/store/listing.rs). A larger `urgency`, then `nearness`
-- (a deadline, negated), then `at`, then `session_id` stands first.
CREATE TABLE list_entries (
    space_id   UUID NOT NULL,
    subject_id UUID NOT NULL,
    class      BIGINT NOT NULL,
    urgency    BIGINT NOT NULL,
    nearness   BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    session_id UUID NOT NULL,
    PRIMARY KEY (space_id, subject_id, class, urgency, nearness, at, session_id)
);
CREATE INDEX list_entries_by_session ON list_entries (session_id, subject_id);

-- How many entries there are: the sum of all rows of a class. A transaction folds the rows that no other one has in
-- hand into one of its own, so that none waits for another.
CREATE TABLE list_counts (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    space_id   UUID NOT NULL,
    subject_id UUID NOT NULL,
    class      BIGINT NOT NULL,
    count      BIGINT NOT NULL
);
CREATE INDEX list_counts_by_subject ON list_counts (space_id, subject_id, class);

CREATE FUNCTION list_entries_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH changes AS (
        SELECT c.space_id, c.subject_id, c.class, CASE TG_OP WHEN 'INSERT' THEN COUNT(*) ELSE -COUNT(*) END AS count
            FROM changed c GROUP BY c.space_id, c.subject_id, c.class
    ), free AS (
        SELECT l.id FROM changes c JOIN list_counts l
            ON l.space_id = c.space_id AND l.subject_id = c.subject_id AND l.class = c.class
            FOR UPDATE OF l SKIP LOCKED
    ), folded AS (
        DELETE FROM list_counts l USING free f WHERE l.id = f.id
            RETURNING l.space_id, l.subject_id, l.class, l.count
    )
    INSERT INTO list_counts (space_id, subject_id, class, count)
        SELECT a.space_id, a.subject_id, a.class, SUM(a.count)
            FROM (SELECT * FROM changes UNION ALL SELECT * FROM folded) AS a
            GROUP BY a.space_id, a.subject_id, a.class HAVING SUM(a.count) <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER list_entries_added AFTER INSERT ON list_entries
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION list_entries_count();
CREATE TRIGGER list_entries_deleted AFTER DELETE ON list_entries
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION list_entries_count();

-- Retention, of the version before too.
CREATE FUNCTION sessions_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM list_entries WHERE session_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions
    FOR EACH ROW EXECUTE FUNCTION sessions_deleted();

-- What one sender has written in a session.
CREATE INDEX messages_by_sender ON messages (session_id, sender_id, seq);
